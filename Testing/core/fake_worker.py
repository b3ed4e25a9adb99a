"""The real worker with a pretended network: no torch, and it does what the name of the scan says.

``good`` finds what is bright, ``slow`` would take for ever, ``exit`` ends without a word, ``lie`` gives a labelmap of
another shape, ``short`` one that is cut off; ``gone`` ends as if nothing had been asked of it for long, once. A model
that is called ``slow`` is never loaded.
"""

import os
import sys
import time
import types

import numpy as np

from mmgl.cli import main
from mmgl.jobs.exchange import LABELMAP, tell, voxels_of, write_array


class Serving:
    def serve(self, wish, folder):
        if wish.scan is None:
            time.sleep(600 * (wish.model == "slow"))
            tell(folder, "ready")
            return
        tell(folder, "fit", findings=[{"key": "fit.intensity", "parameters": {"channel": 1}}])
        tell(folder, "progress", stage="progress.segmenting", share=0.5, seconds_left=1.0)
        if wish.name == "slow":
            time.sleep(600)
        if wish.name == "exit":
            os._exit(3)
        if wish.name == "gone" and not (mark := folder.parent / "gone").exists():
            mark.touch()
            os._exit(0)
        labelmap = (voxels_of(wish, folder)[0] > 500).astype(np.uint8)
        write_array(folder / LABELMAP, labelmap[1:] if wish.name == "short" else labelmap)
        shape = [7, 7, 7] if wish.name == "lie" else list(labelmap.shape)
        grid = {name: wish.scan[name] for name in ("spacing", "origin", "directions")}
        lists = {"structures": [], "slices": [], "findings": []}
        tell(folder, "done", shape=shape, kind="uint8", grid=grid, doubt_map=False, seconds=0.0, **lists)


if __name__ == "__main__":
    fake = types.ModuleType("mmgl.inference.serving")
    fake.Serving = Serving
    sys.modules["mmgl.inference.serving"] = fake
    sys.exit(main(sys.argv[1:]))
