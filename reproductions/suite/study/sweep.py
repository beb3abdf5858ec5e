"""The vocabulary of the domains' ``sweep.py``: what a domain declares as data.

Each domain has ``SPACE``, ``MEASURE``, ``PROBLEMS`` (by name, the settings of the task that make this problem: a data set,
a game, a level), ``SCALES`` (smoke, laptop, paper), ``METHODS`` (see ``study.kinds``; under ``plan``,
population and steps where a method divides the budget in another way than the scale does), ``EXPECTED`` (the paper's numbers,
marked) and ``REQUIRES`` (what its runs need on a machine: see ``study.requirements``). It may have ``SPACES``: by problem, a
space in place of ``SPACE``, with the same hyperparameters; ``WIDER``: by a setting of the task, a space with more of them that
takes its place where the setting is true; ``FIGURES``: the names of what its ``analysis`` draws of a problem,
where they are not ``STANDARD_FIGURES``; and ``SOURCES``: a tuple of files and folders, relative to the repository's root, that
can change a run and that no import shows, such as the description of a level.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

#: The figures of a problem that ``suite.figures.plotting`` draws for a domain, as far as its runs have something to show.
STANDARD_FIGURES = (
    *("scores", "best_so_far", "population", "performance_profile", "trainings", "schedules", "lineages", "tree"),
    "improvement",
)

#: How sure we are of a number of the paper: its own words, a secondary source that was read, or memory.
Mark = Literal["high", "medium", "recall"]


@dataclass(frozen=True)
class Anchor:
    """Published scores on a problem that make it comparable with others: ``low`` of random play, ``high`` of people."""

    low: float
    high: float
    source: str

    def __post_init__(self) -> None:
        if not (is_finite(self.low) and is_finite(self.high) and self.low < self.high):
            raise ValueError(
                f"Anchor: low = {self.low!r}, high = {self.high!r} must be numbers, of which high is the larger"
            )

    def normalised(self, score: float) -> float:
        """0 for random play, 100 for people: per cent."""
        return 100 * (score - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class Measure:
    """How things are called on axes: scores, steps, and the hyperparameters.

    ``score`` is what selects; ``held_out`` what every evaluation holds out beside it; ``report`` what is measured of the
    answer at the end, where that is called otherwise.

    ``logarithmic`` are the hyperparameters to draw on a logarithmic axis; ``anchors``, by problem, make scores of several
    problems comparable. ``margin`` is the smallest relevant difference between two methods, in the unit of claims about
    reported scores: an interval within it shows that there is no difference. Each claim says when it was fixed.
    """

    score: str
    unit: str
    held_out: str | None
    step: str
    labels: Mapping[str, str] = field(default_factory=dict)
    logarithmic: tuple[str, ...] = ()
    anchors: Mapping[str, Anchor] = field(default_factory=dict)
    margin: float | None = None
    report: str | None = None

    def __post_init__(self) -> None:
        if self.margin is not None and not (is_finite(self.margin) and self.margin > 0):
            raise ValueError(f"Measure: margin = {self.margin!r} must be a finite number above 0, or None")

    @property
    def reported(self) -> str:
        """The score by which an answer is reported."""
        return self.report or self.held_out or self.score

    def label(self, hyperparameter: str) -> str:
        return self.labels.get(hyperparameter, hyperparameter)


@dataclass(frozen=True)
class Scale:
    """The size of an experiment.

    ``problems`` are the keys of PROBLEMS that are measured at it; the first is the one of a run that names none.
    ``task`` and ``methods`` override the task's settings and keys of METHODS. ``engine``, ``workers``, ``device`` and
    ``timeout`` are how its runs are carried out unless an option says otherwise: see ``running.execution``. Without
    ``workers`` there is one a core and, in the workflow, no more than members.
    """

    problems: tuple[str, ...]
    population: int
    steps: int
    interval: int
    synchronous: bool = True
    engine: str = "processes"
    workers: int | None = None
    device: str = "cpu"
    timeout: float | None = None
    task: Mapping[str, Any] = field(default_factory=dict)
    methods: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """A number of the paper and how sure we are of it."""

    method: str
    what: str
    value: float
    mark: Mark

    def __post_init__(self) -> None:
        if not is_finite(self.value):
            raise ValueError(f"Expected: value = {self.value!r} must be a finite number")
        if self.mark not in get_args(Mark):
            raise ValueError(f"Expected: mark = {self.mark!r} must be one of {list(get_args(Mark))}")


def is_finite(number: object) -> bool:
    """Whether it is a number, and neither a truth value nor NaN or infinite."""
    return isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number)
