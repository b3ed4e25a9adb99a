"""A structure: what is segmented, with its name, colour and terminology code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

Colour = tuple[int, int, int]
"""Red, green and blue, each 0 to 255."""

PALETTE: tuple[Colour, ...] = (
    (214, 73, 73), (76, 160, 72), (66, 120, 200), (230, 170, 60), (150, 90, 190), (60, 185, 190), (225, 110, 175),
    (150, 115, 75), (125, 145, 30), (110, 110, 130),
)  # fmt: skip
"""Colours of structures that bring none of their own."""


@dataclass(frozen=True)
class Structure:
    """One structure of a study or a model.

    Attributes:
        id: positive, unique in its study, never used again for another structure.
        name: as the clinician wrote it.
        colour: red, green, blue, 0 to 255.
        terminology: Slicer's serialised terminology entry, or an empty string.
    """

    id: int
    name: str
    colour: Colour
    terminology: str = ""

    @property
    def code(self) -> str:
        """Scheme and value of the type in the terminology entry, such as ``SCT^87878005``, or an empty string."""
        return terminology_code(self.terminology)

    def to_json(self) -> dict[str, Any]:
        """Return the structure as a dictionary that JSON can hold."""
        colour = "#{:02x}{:02x}{:02x}".format(*self.colour)
        return {"id": self.id, "name": self.name, "colour": colour, "terminology": self.terminology}

    @staticmethod
    def from_json(value: Any) -> Structure:
        """Return the structure that ``to_json`` wrote.

        Raises:
            ValueError: the dictionary is not one that ``to_json`` writes.
        """
        if not isinstance(value, dict) or type(value.get("id")) is not int or not 0 < value["id"] < 2**31:
            raise ValueError("must have a positive whole number as id")
        name, colour, terminology = value.get("name"), value.get("colour"), value.get("terminology", "")
        if not isinstance(name, str) or not name.strip() or len(name) > 1000:
            raise ValueError("must have a name")
        if not isinstance(terminology, str) or len(terminology) > 4000:
            raise ValueError("must have text as terminology")
        return Structure(value["id"], name, parse_colour(colour), terminology)


def parse_colour(text: Any) -> Colour:
    """Return the colour written as ``#rrggbb``.

    Raises:
        ValueError: ``text`` is not of that form.
    """
    if not isinstance(text, str) or not re.fullmatch("#[0-9a-fA-F]{6}", text):
        raise ValueError("must have a colour such as #d64949")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def terminology_code(terminology: str) -> str:
    """Return scheme and value of the type of a Slicer terminology entry, such as ``SCT^87878005``.

    An entry reads ``context~category~type~modifier~...``, each part ``scheme^value^meaning``. The type ``Tissue`` is
    what Slicer gives to every new segment, so it identifies nothing and counts as none.
    """
    parts = terminology.split("~")
    if len(parts) < 3:
        return ""
    scheme, value, *meaning = [*parts[2].split("^"), "", ""]
    if not value or meaning[0] == "Tissue":
        return ""
    modifier = parts[3].split("^")[1] if len(parts) > 3 and "^" in parts[3] else ""
    return f"{scheme}^{value}^{modifier}" if modifier else f"{scheme}^{value}"


UNLABELLED = -1
"""What a labelmap holds where nobody said what is there: not background, but unknown."""
