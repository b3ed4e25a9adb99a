"""What both Slicer modules share, between Slicer and the core. Imports no torch.

The core is the one beside this package, also where another one is installed in Slicer's Python: Slicer appends the
folders of modules to its path, so that the other one would be found first.
"""

import sys
from importlib import import_module
from pathlib import Path

_HOME = Path(__file__).resolve().parents[1]


def _take_own_core() -> tuple[str, str]:
    """Import the core beside this package; return version and folder of another one that was in use already, or ""."""
    other, loaded = ("", ""), sys.modules.get("mmgl")
    if loaded is not None:
        place = Path(loaded.__path__[0]).resolve()
        if place == (_HOME / "mmgl").resolve():
            return other
        other = str(getattr(loaded, "__version__", "?")), str(place)
        for name in [name for name in sys.modules if name.partition(".")[0] == "mmgl"]:
            del sys.modules[name]
    sys.path.insert(0, str(_HOME))
    try:
        import_module("mmgl")
    finally:
        sys.path.remove(str(_HOME))
    return other


OTHER_CORE = _take_own_core()
"""Version and folder of a core that something else in Slicer had imported before; empty where there was none."""
