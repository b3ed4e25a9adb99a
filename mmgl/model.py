"""The model file NAME.mmgl: weights as safetensors, and a card in its header. No pickle, nothing is ever executed.

The card holds no patient name, no path and no image: structures, plan, how many cases, scores, versions and the
checksum of the weights.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mmgl.data.plan import Plan
from mmgl.files import replacing
from mmgl.imaging.grid import Array
from mmgl.messages import MMGLError
from mmgl.structures import Structure

FORMAT = "mmgl model"
VERSION = 1

CRF = ("appearance", "appearance_mm", "intensity", "smoothness", "smoothness_mm")
"""Parameters of the dense CRF that a card holds, as ``mmgl.inference.crf`` names them."""


@dataclass(frozen=True)
class Card:
    """What is known of a model.

    Attributes:
        name: of the file when it was written.
        structures: what it segments; label value i + 1 is ``structures[i]``.
        plan: how scans are prepared, and the network.
        method: its name on the command line.
        cases: how many were ``labelled``, ``unlabelled`` and ``check``.
        scores: Dice on the check cases by structure name; empty when none were held out.
        doubts: how doubtful a structure usually is, by name, from the check cases; empty when that is not known.
        crf: parameters by name of the dense CRF that refines its results; empty when they are not refined.
        one_piece: structures that are found better where only their largest piece is kept, by name with the Dice that
            is gained on the check cases; empty when there is none or that is not known.
        versions: of what made it.
        created: date, ISO 8601.
        weights: SHA-256 of the weights.
    """

    name: str
    structures: tuple[Structure, ...]
    plan: Plan
    method: str
    cases: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    weights: str = ""
    doubts: Mapping[str, float] = field(default_factory=dict)
    crf: Mapping[str, float] = field(default_factory=dict)
    one_piece: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the card as a dictionary that JSON can hold."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "structures": [s.to_json() for s in self.structures],
            "plan": self.plan.to_json(),
            "method": self.method,
            "cases": dict(self.cases),
            "scores": dict(self.scores),
            "versions": dict(self.versions),
            "created": self.created,
            "weights": self.weights,
            "doubts": dict(self.doubts),
            "crf": dict(self.crf),
            "one_piece": dict(self.one_piece),
        }

    @staticmethod
    def from_json(value: Any) -> Card:
        """Return the card that ``to_json`` wrote.

        Raises:
            ValueError: the dictionary is not one that ``to_json`` writes.
        """
        try:
            structures = tuple(Structure.from_json(s) for s in value["structures"])
            card = Card(
                name=str(value["name"]),
                structures=structures,
                plan=Plan.from_json(value["plan"]),
                method=str(value["method"]),
                cases={str(k): int(v) for k, v in value["cases"].items()},
                scores={str(k): float(v) for k, v in value["scores"].items()},
                versions={str(k): str(v) for k, v in value["versions"].items()},
                created=str(value["created"]),
                weights=str(value["weights"]),
                doubts={str(k): float(v) for k, v in value.get("doubts", {}).items()},
                crf={str(k): float(v) for k, v in value.get("crf", {}).items()},
                one_piece={str(k): float(v) for k, v in value.get("one_piece", {}).items()},
            )
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"its card is incomplete ({error})") from error
        if not structures:
            raise ValueError("it segments nothing")
        if card.crf and (set(card.crf) != set(CRF) or not all(0 <= v < math.inf for v in card.crf.values())):
            raise ValueError("its parameters for refining are none")
        if set(card.one_piece) - {s.name for s in structures} or not all(0 < v <= 1 for v in card.one_piece.values()):
            raise ValueError("what it says of structures of one piece is nonsense")
        return card


def write_model(path: Path, card: Card, weights: Mapping[str, Array]) -> Card:
    """Write a model file, atomically and never over another one; return its card with the checksum.

    Raises:
        MMGLError: ``file.exists`` or ``file.unwritable``.
    """
    if path.exists():
        raise MMGLError("file.exists", path=path)
    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    card = replace(card, weights=_checksum(arrays))
    try:
        with replacing(path) as temporary:
            save_file(arrays, temporary, metadata={"card": json.dumps(card.to_json(), allow_nan=False)})
    except SafetensorError as error:
        raise MMGLError("file.unwritable", path=path, reason="the disk may be full") from error
    return card


def read_card(path: Path) -> Card:
    """Return the card of a model file, without reading its weights.

    Raises:
        MMGLError: ``file.missing``, ``model.invalid`` or ``file.newer``.
    """
    card, _ = _read(path, with_weights=False)
    return card


def read_model(path: Path) -> tuple[Card, dict[str, Array]]:
    """Return the card and the weights of a model file, its checksum verified.

    Raises:
        MMGLError: ``file.missing``, ``model.invalid``, ``model.changed`` or ``file.newer``.
    """
    card, weights = _read(path, with_weights=True)
    if _checksum(weights) != card.weights:
        raise MMGLError("model.changed", path=path)
    return card, weights


def _read(path: Path, *, with_weights: bool) -> tuple[Card, dict[str, Array]]:
    """Return card and, if asked, weights."""
    path = Path(path)
    if not path.is_file():
        raise MMGLError("file.missing", path=path)
    try:
        with safe_open(path, framework="numpy") as file:
            card = _card(path, (file.metadata() or {}).get("card", ""))
            names = file.keys() if with_weights else []
            return card, {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise MMGLError("model.invalid", path=path, problem="it is damaged or of another kind") from error
    except (ValueError, TypeError) as error:
        raise MMGLError("model.invalid", path=path, problem=str(error).splitlines()[0]) from error


def _card(path: Path, text: str) -> Card:
    """Return the card from the JSON text in the header."""
    if not text:
        raise ValueError("it has no card")
    value = json.loads(text)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise ValueError("its card is of another kind")
    if not isinstance(value.get("version"), int) or value["version"] > VERSION:
        raise MMGLError("file.newer", path=path, found=value.get("version"), known=VERSION)
    return Card.from_json(value)


def _checksum(weights: Mapping[str, Array]) -> str:
    """Return the SHA-256 of names, kinds, shapes and values of all weights."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
