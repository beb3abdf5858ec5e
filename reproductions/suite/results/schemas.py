"""Schemas of the files that runs leave: one model for each kind of file, which is checked when it is read.

Models are strict: no number is taken for text, no truth value for a number. Keys that a model does not have are errors: they
come from another version. The tables of studies have theirs in ``rows``, since no run depends on them.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, RootModel, model_validator

from reproductions.suite.study.inputs import InputError, read_model, shown
from reproductions.suite.study.names import LONGEST, WORD
from reproductions.suite.study.plain_values import plain

#: Steps, members and other counts: at most what a double, and so any reader of Parquet and JSON, holds exactly.
Count = Annotated[int, Field(ge=0, le=2**53)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seconds = Annotated[float, Field(ge=0, le=1e12)]
#: Becomes part of paths and of MLflow's filters.
Name = Annotated[str, Field(pattern=f"^(?:{WORD})$", max_length=LONGEST)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]+$", max_length=64)]
Words = Annotated[str, Field(max_length=1000)]


def _from_words(value: Any) -> Any:
    """JSON has no infinities and no NaN: where they may stand they are written as words, as in the record."""
    return float(value) if value in ("inf", "-inf", "nan") else value


Json = Annotated[Any, AfterValidator(plain)]
#: A measurement that may be infinite or NaN.
Measured = Annotated[float, Field(allow_inf_nan=True), BeforeValidator(_from_words)]


class Document(BaseModel):
    """The base of what stands in a JSON file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class EvaluationSummary(Document):
    """An evaluation in a summary."""

    member: Count
    step: Count
    score: float
    held_out: Measured | None
    metrics: dict[str, Measured]
    hyperparameters: dict[str, Json]


class Reported(Document):
    """The final report of a run's answer: its score, the samples that it is the mean of, and the CPU seconds that it took."""

    value: Measured
    samples: list[Measured]
    cpu_s: Seconds


class Answer(EvaluationSummary):
    """The evaluation of a run's answer. Older summaries have no ``reported``; it is None where the task reports nothing."""

    reported: Reported | None = None


class Ending(Document):
    """When a run was to end before its steps were done."""

    seconds: Seconds | None
    score: float | None


class RunSettings(Document):
    """The settings of a run: those that its record or its summary name too, and any others."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Json] = Field(init=False)

    domain: Name
    problem: Name
    method: Name
    variant: Name
    seed: Seed
    scale: Name
    population: Annotated[Count, Field(ge=1)]
    steps: Annotated[Count, Field(ge=1)]
    interval: Annotated[Count, Field(ge=1)]
    synchronous: bool
    stop: Ending | None = None


class ExecutionSummary(Document):
    """How a run was carried out; see ``running.execution``. What one engine alone knows has the engine's own names."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Json] = Field(init=False)

    engine: Name
    workers: Annotated[Count, Field(ge=1)] | None
    device: Words
    threads: Annotated[Count, Field(ge=1)]
    timeout: Seconds | None


class Digests(Document):
    """SHA-256 of the files beside a summary."""

    events: Digest = Field(alias="events.parquet")
    lineage: Digest = Field(alias="lineage.json")


class Summary(Document):
    """``summary.json`` of a finished run.

    ``execution`` is how the last session carried it out, ``numerics`` what its numbers depend on beside the settings; both,
    ``digests``, ``begun`` and ``ended`` (Unix seconds) are missing in older ones.
    """

    finished: Literal[True]
    domain: Name
    problem: Name
    method: Name
    variant: Name
    seed: Seed
    scale: Name
    final: Answer | None
    best: EvaluationSummary | None
    budget_steps: Count
    member_steps: Count
    cloned: Count
    diverged: Count
    failed: Count
    stopped: Count
    wall_s: Seconds
    train_s: Seconds
    evaluate_s: Seconds
    save_s: Seconds
    cpu_s: Seconds
    settings: RunSettings
    commit: Digest | None
    modified: bool | None
    sources: Digest
    versions: dict[str, Words]
    machine: dict[str, Json]
    execution: ExecutionSummary | None = None
    numerics: dict[str, Json] = {}
    described: dict[str, Json] = {}
    digests: Digests | None = None
    begun: Seconds | None = None
    ended: Seconds | None = None

    @model_validator(mode="after")
    def _agrees(self) -> Summary:
        for key in ("domain", "problem", "method", "variant", "seed", "scale"):
            if (ours := getattr(self, key)) != (setting := getattr(self.settings, key)):
                raise ValueError(f"settings.{key} = {shown(setting)} must be the {key} of the run, {shown(ours)}")
        if self.budget_steps != (budget := self.settings.population * self.settings.steps):
            raise ValueError(f"budget_steps = {self.budget_steps} must be population x steps = {budget}")
        if self.begun is not None and self.ended is not None and self.begun > self.ended:
            raise ValueError(f"begun = {self.begun} must not be after ended = {self.ended}")
        return self


class Segment(Document):
    """A segment of a schedule."""

    start: Count
    stop: Count
    member: Count
    member_step: Count
    hyperparameters: dict[str, Json]


class Source(Document):
    """A checkpoint."""

    member: Count
    step: Count
    digest: Words


class Clone(Document):
    """An edge of the tree."""

    member: Count
    step: Count
    parent: Count
    weights: bool
    source: Source
    hyperparameters: dict[str, Json]


class LineageFile(Document):
    """``lineage.json``: the tree, the founders of the final members, and the schedule of the run's answer."""

    members: list[Count]
    best: Count | None
    founders: dict[Annotated[str, Field(pattern=r"^[0-9]{1,16}$")], Count]
    clones: list[Clone]
    schedule: list[Segment]

    @model_validator(mode="after")
    def _is_a_tree(self) -> LineageFile:
        members = set(self.members)
        if len(members) < len(self.members):
            raise ValueError("members: each must occur once")
        if set(map(int, self.founders)) != members:
            raise ValueError("founders: must name the members")
        if self.best is not None and self.best not in members:
            raise ValueError(f"best = {self.best} must be one of the members")
        if (self.best is None) != (not self.schedule):
            raise ValueError("schedule: must be there if there is a best member, and only then")
        for number, (before, after) in enumerate(pairwise(self.schedule), start=1):
            if before.stop != after.start:
                raise ValueError(f"schedule.{number}.start = {after.start} must be where the last ended, {before.stop}")
            if before.hyperparameters.keys() != after.hyperparameters.keys():
                raise ValueError(f"schedule.{number}.hyperparameters: must be those of the first")
        for number, stretch in enumerate(self.schedule):
            if stretch.stop <= stretch.start or (number == 0 and stretch.start):
                raise ValueError(
                    f"schedule.{number}: must begin at 0 and go on, not from {stretch.start} to {stretch.stop}"
                )
        return self


class Provenance(RootModel[dict[Name, list[tuple[dict[str, Words], dict[str, Json]]]]]):
    """``provenance.json``: by domain, the versions and machines that its runs had."""


def schedule(path: Path) -> list[Segment]:
    """The schedule of a ``lineage.json``; InputError if it holds none."""
    if not os.path.exists(path):  # noqa: PTH110 - never raises, whatever the name
        raise InputError(f"{path} holds no schedule: there is no such file")
    segments = read_model(path, LineageFile).schedule
    if not segments:
        raise InputError(f"{path}: holds no schedule: the run had no best member")
    return segments
