"""The vocabulary of the domains' ``sweep.py``: what a domain declares as data.

Each domain has ``SPACE``, ``MEASURE``, ``SCALES`` (smoke, laptop, paper), ``METHODS`` (descriptions for
``reproductions.methods``), ``EXPECTED`` (the paper's numbers, marked) and ``REQUIRES`` (modules without which its task
cannot run).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

#: How sure we are of a number of the paper: its own words, a secondary source that was read, or memory.
Mark = Literal["high", "medium", "recall"]


@dataclass(frozen=True)
class Measure:
    """How things are called on axes: the score, the reported score if it differs, steps, and the hyperparameters.

    ``logarithmic`` are the hyperparameters to draw on a logarithmic axis.
    """

    score: str
    unit: str
    held_out: str | None
    step: str
    labels: Mapping[str, str] = field(default_factory=dict)
    logarithmic: tuple[str, ...] = ()

    def label(self, hyperparameter: str) -> str:
        return self.labels.get(hyperparameter, hyperparameter)


@dataclass(frozen=True)
class Scale:
    """The size of an experiment. ``task`` and ``methods`` override the task's settings and keys of METHODS."""

    population: int
    steps: int
    interval: int
    synchronous: bool = True
    engine: Literal["serial", "processes"] = "processes"
    workers: int | None = None
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
