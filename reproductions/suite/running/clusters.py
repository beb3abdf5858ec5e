"""The file that describes the workers of a simulated run, for ``run --engine simulated`` and ``plan --simulate``."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from pbt_core import Cluster, IntervalTimes, Preemption, RandomPreemptions
from reproductions.suite.study import configuration
from reproductions.suite.study.inputs import Checked, first_violation
from reproductions.suite.study.registry import ConfigError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Loss(Checked):
    """``worker`` is lost at second ``at`` and is back ``away`` seconds later; without ``away`` never."""

    worker: int = Field(ge=0)
    at: NotNegative
    away: Positive | None = None


class Losses(Checked):
    """Every worker is lost now and then: after ``every`` seconds in the mean, for ``away`` seconds."""

    every: Positive
    away: Positive


class ClusterFile(Checked):
    """The workers of a simulated run. All times are in virtual seconds.

    workers: so many of speed 1; or speeds: one number a worker, twice as fast at 2.
    per_step: one training step on a worker of speed 1. A forecast takes what runs have cost where it is missing.
    per_interval, spread, stragglers, slowdown: see ``pbt_core.IntervalTimes``. preemptions, seed: see ``pbt_core.Cluster``.
    """

    workers: int | None = Field(None, ge=1, le=100_000)
    speeds: tuple[Positive, ...] | None = Field(None, min_length=1, max_length=100_000)
    per_step: Positive | None = None
    per_interval: NotNegative = 0.0
    spread: NotNegative = 0.0
    stragglers: float = Field(0.0, ge=0, le=1)
    slowdown: float = Field(10.0, ge=1, allow_inf_nan=False)
    preemptions: tuple[Loss, ...] | Losses = ()
    seed: int = Field(0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _can_be(self) -> ClusterFile:
        if (self.workers is None) == (self.speeds is None):
            raise ValueError("workers or speeds must be given, and not both")
        self.cluster(1.0)  # what its parts say of each other
        return self

    @property
    def speed_of_each(self) -> tuple[float, ...]:
        """One number a worker."""
        return self.speeds if self.speeds is not None else (1.0,) * (self.workers or 1)

    def cluster(self, per_step: float, workers: range | None = None) -> Cluster:
        """The cluster, or the part of it that has these ``workers``, which it numbers from 0.

        per_step: for a file that says nothing of it.
        """
        speeds = self.speed_of_each
        chosen = range(len(speeds)) if workers is None else workers
        step = per_step if self.per_step is None else self.per_step
        times = IntervalTimes(step, self.per_interval, self.spread, self.stragglers, self.slowdown)
        losses = self.preemptions
        preemptions = (
            RandomPreemptions(losses.every, losses.away)
            if isinstance(losses, Losses)
            else tuple(
                Preemption(loss.worker - chosen.start, loss.at, math.inf if loss.away is None else loss.away)
                for loss in losses
                if loss.worker in chosen or workers is None
            )
        )
        return Cluster(tuple(speeds[worker] for worker in chosen), times, preemptions, self.seed)


def read_cluster(path: Path) -> ClusterFile:
    """The cluster that a YAML file describes. ConfigError in one line: the file, the key, the value and the rule."""
    content = json.dumps(configuration.read(path), default=str)  # YAML's dates are texts
    try:
        # As JSON, in which nothing but a list stands for a tuple and no truth value for a number.
        return ClusterFile.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_violation(error)}") from None
