"""What this computer can train with. ``python -m mmgl.machine`` tells it as one event, a line of JSON.

A front end asks in a process of its own: looking for a graphics card loads torch and takes seconds.
"""

from __future__ import annotations

import json
from typing import Any

GIGABYTE = 1e9


def describe() -> dict[str, Any]:
    """Return what was found.

    Returns:
        ``card`` (name of the NVIDIA card that can be used, or an empty string), ``card_free_gb`` and ``card_gb`` of its
        memory, ``card_unusable`` (there is a card with a driver, and torch cannot use it), ``cores`` of the processor
        that may be used, and ``free_gb`` of the computer's memory.
    """
    import torch

    from mmgl.device import card_unusable, choose_device, free_memory
    from mmgl.manners import usable_cores

    device = choose_device()
    on_card = device.type == "cuda"
    total = torch.cuda.get_device_properties(device).total_memory if on_card else 0
    return {
        "card": torch.cuda.get_device_name(device) if on_card else "",
        "card_free_gb": round(free_memory(device) / GIGABYTE, 1) if on_card else 0.0,
        "card_gb": round(total / GIGABYTE, 1),
        "card_unusable": card_unusable(),
        "cores": usable_cores(),
        "free_gb": round(free_memory(torch.device("cpu")) / GIGABYTE, 1),
    }


if __name__ == "__main__":
    print(json.dumps({"event": "machine", **describe()}))
