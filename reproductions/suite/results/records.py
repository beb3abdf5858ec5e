"""Finished runs as data frames: the one place where tables, figures and tracking read results from.

What is read is not trusted: files are checked against their schemas, and the files of a folder against each other.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from pbt_core.events import Record as Events
from pbt_core.events import RecordError, read
from pbt_core.lineage import Lineage
from pbt_core.schema import encode
from reproductions.suite.results.schemas import LineageFile, Summary
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import InputError, read_bytes, read_model, shown
from reproductions.suite.study.names import RunName, label
from reproductions.suite.study.registry import ConfigError

SomeOutcome = TypeVar("SomeOutcome", bound="Outcome")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a finished run came to: its folder and its summary."""

    folder: Path
    summary: dict[str, Any]

    @property
    def name(self) -> RunName:
        return RunName.of(self.summary)

    @property
    def problem(self) -> str:
        problem: str = self.summary["problem"]
        return problem

    @property
    def method(self) -> str:
        """The method, with the variant where it is not the default one."""
        return label(self.summary["method"], self.summary["variant"])

    @property
    def seed(self) -> int:
        seed: int = self.summary["seed"]
        return seed

    def reported(self, kind: str = "final") -> float | None:
        """The reported score of the run's answer, or of the ``best`` member ever; None where there is none.

        That of the task's final report if it makes one, for the answer alone; else the held-out score; else, for a task that
        holds nothing out (an exact one), the score that selected.
        """
        evaluation = self.summary[kind]
        if evaluation is None:
            return None
        if (report := evaluation.get("reported")) is not None:
            return float(report["value"])
        return float(evaluation["score" if evaluation["held_out"] is None else "held_out"])

    @property
    def report_cpu_s(self) -> float | None:
        """CPU seconds of the final report, which are in no other cost and outside the budget; None where there is none."""
        report = (self.summary["final"] or {}).get("reported")
        return None if report is None else float(report["cpu_s"])


@dataclass(frozen=True, eq=False)
class Record(Outcome):
    """A finished run with its events."""

    events: Events

    @property
    def clock_steps(self) -> int:
        """A virtual wall-clock: the steps until the last member ended, if each had a worker of its own."""
        return max(self.events.last_steps().values(), default=0)

    @cached_property
    def settings(self) -> dict[str, list[Any]]:
        """By hyperparameter, each value that a member was given or used, in the order in which they first occur."""
        given: dict[str, dict[Any, None]] = {}
        for turn in self.events.turns():
            values = turn[2] if isinstance(turn, tuple) else turn.get("hyperparameters", {})
            for name, value in values.items():
                given.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in given.items()}

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.events)

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation: member, step, score, held_out, and a column for each hyperparameter and metric."""
        table = self.events.evaluations()
        names = [name.partition(".")[2] if "." in name else name for name in table.column_names]
        return table.rename_columns(names).to_pandas()

    def best_so_far(self, reported: bool) -> pd.Series:
        """By step: the score of the member that was best by its selecting score until then.

        ``reported`` takes that member's held-out score; what selects is the selecting score in either case. Non-finite
        scores are left out.
        """
        frame = self.evaluations
        steps, scores = frame["step"].to_numpy(), frame["score"].to_numpy()
        # In plain arrays: a figure asks for hundreds of these curves, and pandas takes four times as long.
        order = np.lexsort((scores, steps))
        order = order[np.isfinite(scores[order])]
        leads = np.diff(np.maximum.accumulate(scores[order]), prepend=-np.inf) > 0
        leaders = order[leads]
        values = frame["held_out" if reported else "score"].to_numpy()[leaders]
        of_steps = np.unique(steps)
        led = np.searchsorted(steps[leaders], of_steps, side="right")
        return pd.Series(np.concatenate([[np.nan], values])[led], of_steps)


def load(folders: Iterable[Path], read: Callable[[Path], Record] | None = None) -> list[Record]:
    """The runs in the given folders, each checked against the schemas of its files, and its files against each other.

    They are grouped by problem, in the order in which problems first occur, then sorted by method, variant and seed. ``read``
    is called for each folder (default: ``read_record``); a cached one keeps runs that are asked for again.
    Raises ConfigError, in one line, for a folder without a finished run, a file that is not what it should be, files of
    different runs in one folder, and a run that is given twice.
    """
    records = _each_once(folders, read or read_record)
    order = method_order(records)
    return [
        record
        for of_problem in of_each_problem(records).values()
        for record in sorted(of_problem, key=lambda record: (order.index(record.method), record.seed))
    ]


def outcomes(folders: Iterable[Path]) -> list[Outcome]:
    """What the runs in the given folders came to, in the given order; ConfigError as in ``load``, but events are not read."""
    return _each_once(folders, read_outcome)


def _each_once(folders: Iterable[Path], read: Callable[[Path], SomeOutcome]) -> list[SomeOutcome]:
    found: list[SomeOutcome] = []
    places: dict[str, Path] = {}
    names: dict[RunName, Path] = {}
    for folder in folders:
        if (known := places.setdefault(os.path.realpath(folder), folder)) is not folder:
            raise ConfigError(f"{folder}: the same run as {known}; each may be given once")
        run = read(folder)
        if (first := names.setdefault(run.name, folder)) is not folder:
            raise ConfigError(
                f"{folder}: has the name of the run in {first} ({run.name.folder}); runs that differ need a --variant"
            )
        found.append(run)
    if not found:
        raise ConfigError("no runs were given")
    return found


def read_outcome(folder: Path) -> Outcome:
    """What the run in a folder came to; ConfigError in one line if none, or if its files are not those that it left."""
    try:
        summary = read_model(folder / "summary.json", Summary)
    except InputError as error:
        if (folder / "summary.json").exists():
            raise
        raise ConfigError(f"{folder} holds no finished run: {error}") from None
    _must_hold_out_as_declared(folder / "summary.json", summary)
    if summary.digests is not None:
        for name, digest in summary.digests.model_dump(by_alias=True).items():
            if hashlib.sha256(read_bytes(folder / name)).hexdigest() != digest:
                raise InputError(f"{folder / name}: is not the file that {folder / 'summary.json'} was written with")
    return Outcome(folder, summary.model_dump(by_alias=True, exclude_unset=True))


def _must_hold_out_as_declared(path: Path, summary: Summary) -> None:
    """InputError where evaluations hold a score out and the domain's ``MEASURE.held_out`` names none, or the other way round.

    Tables report what was held out and name it so; claims, where the domain names none, what selected.
    """
    if summary.domain not in registry.domains():
        return
    named = registry.sweep(summary.domain).MEASURE.held_out
    for kind in ("final", "best"):
        evaluation = getattr(summary, kind)
        if evaluation is not None and (evaluation.held_out is None) != (named is None):
            raise InputError(
                f"{path}: {kind}.held_out = {shown(evaluation.held_out)}, but MEASURE.held_out of {summary.domain} is "
                f"{shown(named)}: tasks must hold a score out where it names one, and only there"
            )


def read_record(folder: Path) -> Record:
    """The finished run in a folder; ConfigError in one line if its files are not whole, valid and of one run."""
    outcome = read_outcome(folder)
    record = Record(folder, outcome.summary, read_events(folder / "events.parquet"))
    _must_agree(record)
    return record


def read_events(path: Path) -> Events:
    """The events of a finished run; InputError if the file is not a valid record."""
    read_bytes(path)  # refuses what is no regular file
    try:
        events = read(path)
    except RecordError as error:
        raise InputError(str(error)) from None
    if not len(events) or events[0]["event"] != "started" or events[-1]["event"] != "finished":
        raise InputError(f"{path}: must begin with the event 'started' and end with 'finished'")
    return events


def _must_agree(record: Record) -> None:
    """Raise InputError for the first thing on which the summary, the lineage and the events of a folder disagree."""
    summary, events, path = record.summary, record.events, record.folder / "summary.json"
    settings, plan = summary["settings"], events[0]["run"]["plan"]
    extended = events.others("extended")
    plan = plan | ({"steps": extended[-1]["steps"]} if extended else {})
    for key in ("population", "steps", "interval", "seed", "synchronous"):
        _must_equal(path, f"settings.{key}", settings[key], plan.get(key))
    _must_equal(path, "settings.population", settings["population"], len(events.others("joined")))
    for key in ("cloned", "diverged", "failed", "stopped"):
        _must_equal(path, key, summary[key], len(events.others(key)))
    finite = events.scores[np.isfinite(events.scores)]
    best = float(finite.max()) if len(finite) else None
    _must_equal(path, "best.score", (summary["best"] or {}).get("score"), best)
    for kind, answer in (("final", events[-1]), ("best", None)):
        evaluation = summary[kind]
        if answer is not None:
            _must_equal(path, kind, None if evaluation is None else evaluation["member"], answer["best"])
        if evaluation is not None:
            row = events.row(evaluation["member"], evaluation["step"])
            recorded = {} if row is None else events.evaluation(row)
            of_training = {key: value for key, value in evaluation.items() if key != "reported"}
            for key, value in of_training.items():
                _must_equal(path, f"{kind}.{key}", value, recorded.get(key))
    _must_be_its_mean(path, (summary["final"] or {}).get("reported"))
    stated = read_model(record.folder / "lineage.json", LineageFile).model_dump()
    try:
        lineage = record.lineage.to_json()
    except RecordError as error:
        raise InputError(f"{record.folder / 'events.parquet'}: {error}") from None
    for key, value in lineage.items():
        _must_equal(record.folder / "lineage.json", key, stated[key], value)


def _must_be_its_mean(path: Path, reported: dict[str, Any] | None) -> None:
    """InputError where a final report is not the mean of its samples, but for rounding; it may have none."""
    samples = (reported or {}).get("samples") or []
    if reported is not None and samples and np.isfinite(samples).all():
        mean, value = math.fsum(sample / len(samples) for sample in samples), reported["value"]
        if not math.isclose(mean, value, rel_tol=1e-6, abs_tol=1e-6 * max(map(abs, samples))):
            raise InputError(
                f"{path}: final.reported.value = {shown(value)} must be the mean of its samples, {shown(mean)}"
            )


def _must_equal(path: Path, key: str, stated: Any, recorded: Any) -> None:
    # Nearly always both are the same text, which is found out much sooner.
    if json.dumps(stated) != json.dumps(recorded) and _comparable(stated) != _comparable(recorded):
        raise InputError(f"{path}: {key} = {shown(stated)}, but its record says {shown(recorded)}: not of one run")


def _comparable(value: Any) -> Any:
    """Equal for equal values: NaN is NaN, 1 is 1.0 (a column of Parquet has one type), and neither is true."""
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_comparable(item) for item in value]
    return str(value) if isinstance(value, bool) else encode(value)


def of_each_problem(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The runs of each problem, in the order in which problems first occur: scores of two problems are never compared."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.problem, []).append(record)
    return grouped


def method_order(records: Sequence[Outcome]) -> list[str]:
    """The methods that occur: PBT first, the others by name, so that every figure has the same colours.

    Numbers in a name go by their size: a population of 6 comes before one of 24.
    """
    return sorted({record.method for record in records}, key=lambda name: (not name.startswith("pbt"), _natural(name)))


def _natural(name: str) -> list[tuple[str, float]]:
    """A name as pairs of text and the number after it, to sort by; 0 where there is none."""
    return [(text, float(number or 0)) for text, number in re.findall(r"(\D*)(\d+(?:\.\d+)?)?", name)]
