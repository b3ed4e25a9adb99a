"""The table of runs: data set, labelled patients, methods, seeds, budget. What is wanted first stands first.

The same preparation, augmentation and number of steps for all methods, every step on as many slices as the plan says.
One exception, by one rule: a method that trains two networks gets as many steps as fit into one and a half times the
minutes of ``supervised``. A teacher that is only averaged is not trained, so it is no second network.

Tracks: ``cpu`` is small enough to repeat: about 8 minutes a run on two cores without matrix units. ``long`` asks what
twice as many steps give. ``minutes`` asks what a budget of time gives, and needs the computer for itself, with ``--jobs
1``. ``published`` takes the network size and learning rates of the papers. ``gpu`` is at full resolution, and measured
on the test cases, which nothing else touches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

SETTINGS = 4
"""Of the results: a new number when old results cannot stand beside new ones, which are then measured again."""

ALL = (
    *("supervised", "mmgl", "mcsc", "glrp", "clcc", "mmgl+"),
    *("simclr", "gcl", "pcl", "mean-teacher", "ua-mt", "cps", "cross-teaching", "bcp", "unimatch"),
)
MAIN = ALL[:6]
FEW = ("supervised", "mmgl", "unimatch", "mmgl+")
OURS = ("supervised", "mmgl+")

STEPS = {"cpu": 900, "long": 1_800, "published": 20_000, "gpu": 20_000}
TWO_NETWORKS = ("mcsc", "cps", "cross-teaching")
SLOWER = 1.5
STEP_SECONDS = {
    **{"supervised": 1.16, "mmgl": 1.43, "mcsc": 2.14, "glrp": 1.12, "clcc": 2.06, "mmgl+": 1.19},
    **{"simclr": 1.32, "gcl": 1.2, "pcl": 1.22, "mean-teacher": 1.34, "ua-mt": 4.32},
    **{"cps": 2.16, "cross-teaching": 1.87, "bcp": 1.33, "unimatch": 1.59},
}
"""Of a step on 16 slices of 128 x 128 pixels in processor time of one thread without matrix units, the mean over the
stages by their shares. Measured once; only the rule above and estimates use them."""


@dataclass(frozen=True)
class Row:
    """One row of the table: a run for each number of labelled patients, seed and method.

    Attributes:
        track: a name of the list above.
        data: a key of ``data.DATA``.
        labelled: patients of train whose labels are read.
        methods, seeds: of the runs.
        minutes: the budget where it is time and not ``STEPS``.
    """

    track: str
    data: str
    labelled: tuple[int, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...]
    minutes: float | None = None


# fmt: off
TABLE = (
    #   track        data           labelled       methods          seeds      minutes
    Row("cpu",       "acdc-centre", (3,),          ALL,             (0,)),
    Row("cpu",       "acdc-centre", (70,),         ("supervised",), (0,)),
    Row("cpu",       "acdc-centre", (3,),          ALL,             (1,)),
    Row("cpu",       "acdc-centre", (1, 7),        MAIN,            (0,)),
    Row("cpu",       "acdc",        (3,),          OURS,            (0, 1)),
    Row("cpu",       "hippocampus", (1, 2),        FEW,             (0, 1)),
    Row("cpu",       "acdc-centre", (1, 7),        MAIN,            (1,)),
    Row("cpu",       "acdc-centre", (3,),          MAIN,            (2,)),
    Row("long",      "acdc-centre", (3,),          OURS,            (0, 1, 2)),
    Row("minutes",   "acdc-centre", (3,),          ("supervised",), (0,),      4.2),
    Row("minutes",   "acdc-centre", (3,),          OURS,            (0,),      10.0),
    Row("minutes",   "acdc-centre", (3,),          OURS,            (0,),      30.0),
    Row("published", "acdc",        (3,),          MAIN[:5],        (0,)),
    Row("gpu",       "acdc",        (1, 3, 7, 14), MAIN,            (0, 1, 2)),
    Row("gpu",       "acdc",        (3, 7),        ALL[6:],         (0,)),
    Row("gpu",       "acdc",        (70,),         ("supervised",), (0, 1, 2)),
    Row("gpu",       "kvasir",      (60, 120),     MAIN,            (0,)),
    Row("gpu",       "mm-whs-ct",   (1, 2, 4),     MAIN,            (0,)),
    Row("gpu",       "synapse",     (2, 4),        MAIN,            (0,)),
    Row("gpu",       "la",          (8, 16),       MAIN,            (0,)),
    Row("gpu",       "isic",        (156,),        MAIN,            (0,)),
)
# fmt: on


@dataclass(frozen=True)
class Run:
    """One training, from which one line of results comes.

    Attributes:
        steps, minutes: the budget; one of them is None.
        published: the network size and learning rates of the paper.
        set: the cases it is measured on, ``check`` or ``test``.
    """

    track: str
    data: str
    labelled: int
    method: str
    seed: int
    steps: int | None
    minutes: float | None = None
    published: bool = False
    set: str = "check"

    @property
    def key(self) -> str:
        """A name that no other run of the table has, fit for a file."""
        budget = f"{self.minutes:g}min" if self.steps is None else str(self.steps)
        name = f"{self.track}-{self.data}-{self.labelled}-{self.method}-{self.seed}-{budget}-{self.set}"
        return f"{name}-published" if self.published else name

    def to_json(self) -> dict[str, Any]:
        """Return what a line of results begins with."""
        return {"settings": SETTINGS, **asdict(self)}


def steps_of(track: str, method: str) -> int:
    """Return the steps of a run: the track's, fewer for two networks (the rule at the head of this file)."""
    if method not in TWO_NETWORKS:
        return STEPS[track]
    return round(SLOWER * STEPS[track] * STEP_SECONDS["supervised"] / STEP_SECONDS[method] / 10) * 10


def all_runs() -> Iterator[Run]:
    """Yield the runs of the table in the order in which they are wanted."""
    for row in TABLE:
        for labelled in row.labelled:
            for seed in row.seeds:
                for method in row.methods:
                    steps = None if row.minutes else steps_of(row.track, method)
                    published, cases = row.track == "published", "test" if row.track == "gpu" else "check"
                    yield Run(row.track, row.data, labelled, method, seed, steps, row.minutes, published, cases)
