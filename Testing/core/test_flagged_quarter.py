"""Need 26: of scans that set no threshold the flagged ones have the lower Dice, with a network of known doubts."""

import numpy as np
import pytest
from perfect import dice, perfect, telling
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from mmgl.imaging.grid import Grid
from mmgl.inference.usual import USUAL, usual_doubts
from mmgl.messages import CATALOGUE


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Doubt and Dice of 40 discs, told the network more and more wrongly; half of them say what is usual."""
    segmenter = perfect(tmp_path_factory.mktemp("model"), 1, (None, 1.0, 1.0), ("axial",))
    grid = Grid((2, 32, 32))
    y, x = np.indices(grid.size[1:])
    labelmap = np.broadcast_to(np.hypot(y - 16, x - 16) < 9, grid.size).astype(np.uint8)
    generator = np.random.default_rng(0)
    found = []
    for wrong in generator.uniform(0.2, 1.2, 40):
        scan = telling(labelmap, grid, 1)
        noise = gaussian_filter(generator.normal(0, 1, grid.size), (0, 1.5, 1.5))
        scan.array[1] = (scan.array[1] + wrong * noise / noise.std() * 0.5).clip(0, 1)
        scan.array[0] = 1 - scan.array[1]
        result = segmenter.result(scan)
        found.append((result.doubt, dice(result.labelmap == 1, labelmap == 1)))
    return found


def test_the_flagged_quarter_is_worse_than_the_rest(cases):
    first, second = cases[:20], cases[20:]
    limit = usual_doubts(doubt for doubt, _ in first)["1"]
    doubts, scores = np.array([(doubt.structures[0].doubt, score) for doubt, score in second]).T
    flagged = doubts > limit
    assert 0.5 * (1 - USUAL) <= flagged.mean() <= 2 * (1 - USUAL)
    assert scores[flagged].mean() < scores[~flagged].mean() - 0.02
    assert spearmanr(doubts, scores)[0] < -0.5


def test_no_message_tells_how_sure_it_is():
    assert not [words for words in CATALOGUE.values() if "% sure" in words or "onfiden" in words]
