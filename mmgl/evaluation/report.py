"""The part of a report that says how well results fit their references."""

from __future__ import annotations

from collections.abc import Sequence

from mmgl.evaluation.metrics import Score
from mmgl.evaluation.table import HEADER, summary_rows
from mmgl.report.page import Section


def evaluation_section(scores: Sequence[Score], heading: str = "How well it fits the reference") -> Section:
    """Return the section with the table of scores, what its columns mean, and what was missed or added."""
    words = [
        "Dice is the overlap with the reference, from 0 (none) to 1 (the same). HD95 is how far the borders are apart "
        "where they fit worst, leaving out the worst 5 %; surface is how far they are apart on average. Mean ± "
        "standard deviation between cases."
    ]
    missed = sum(s.volume == 0 < s.reference_volume for s in scores)
    added = sum(s.reference_volume == 0 < s.volume for s in scores)
    if missed or added:
        words.append(
            f"Not found although in the reference: {missed}. Found although not in the reference: {added}. Each of "
            "these counts with Dice 0 and the diagonal of its scan as distance."
        )
    return Section(heading, "\n\n".join(words), HEADER, summary_rows(scores), last_row_is_mean=True)
