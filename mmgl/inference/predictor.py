"""A model ready to segment one scan after the other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from mmgl.data.prepare import prepare_scan
from mmgl.device import choose_device
from mmgl.imaging.grid import Array
from mmgl.imaging.scan import Scan
from mmgl.inference.own_grid import labelmap_on_own_grid
from mmgl.inference.planes import fused_probabilities
from mmgl.messages import MMGLError
from mmgl.model import Card, read_model
from mmgl.networks.unet import UNet
from mmgl.structures import Structure


class Predictor:
    """Loads a model once and segments scans with it.

    Args:
        path: of the ``.mmgl`` file.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        MMGLError: the model cannot be read, or the device is not there.
    """

    def __init__(self, path: Path, device: str = "auto") -> None:
        self.device = choose_device(device)
        self.card, weights = read_model(path)
        self.network = network_of(self.card)
        try:
            self.network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
        except RuntimeError as error:
            raise MMGLError("model.invalid", path=path, problem="its weights do not fit its plan") from error
        self.network.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @property
    def structures(self) -> tuple[Structure, ...]:
        """The structures it segments: value i + 1 of a labelmap is ``structures[i]``."""
        return self.card.structures

    def segment(self, scan: Scan, progress: Callable[[float], None] | None = None) -> Array:
        """Return the labelmap (z, y, x) of a scan on its own grid.

        Raises:
            MMGLError: ``model.channels`` or ``model.pictures`` when the model was made for other scans, or
                ``scan.too_large``.
        """
        plan = self.card.plan
        if len(scan.array) != plan.channels:
            raise MMGLError("model.channels", expected=plan.channels, scan="this scan", found=len(scan.array))
        slices = scan.grid.reorientation().apply_to_grid(scan.grid).size[0]
        if plan.pictures and slices > 1:
            raise MMGLError("model.pictures", count=slices)
        image = torch.from_numpy(prepare_scan(scan, plan))
        probabilities = fused_probabilities(
            self.network, image, plan, stride=self.network.stride, device=self.device, progress=progress
        )
        return labelmap_on_own_grid(probabilities, scan.grid)


def network_of(card: Card) -> UNet:
    """Return the network that a model's card describes, with random weights."""
    plan = card.plan
    return UNet(plan.channels, len(card.structures) + 1, plan.width, plan.levels, published=plan.published)
