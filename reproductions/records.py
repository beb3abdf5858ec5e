"""Finished runs as data frames: the one place where tables, figures and tracking read results from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pbt_core.events import read
from pbt_core.lineage import Lineage
from pbt_core.record import Record as Events
from reproductions.registry import ConfigError


@dataclass(frozen=True, eq=False)
class Record:
    """A finished run: its folder, its summary and its events."""

    folder: Path
    summary: dict[str, Any]
    events: Events

    @property
    def problem(self) -> str:
        problem: str = self.summary["problem"]
        return problem

    @property
    def method(self) -> str:
        """The method, with the variant where it is not the default one."""
        variant = self.summary["variant"]
        return self.summary["method"] + ("" if variant == "default" else f" ({variant})")

    @property
    def seed(self) -> int:
        seed: int = self.summary["seed"]
        return seed

    @property
    def clock_steps(self) -> int:
        """A virtual wall-clock: the steps until the last member ended, if each had a worker of its own."""
        return max((event["step"] for event in self.events if event["event"] == "evaluated"), default=0)

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.events)

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation: member, step, score, held_out, and a column for each hyperparameter and metric."""
        rows = []
        for event in self.events:
            if event["event"] == "evaluated":
                row = {key: event[key] for key in ("member", "step", "score", "held_out")}
                rows.append(row | event["hyperparameters"] | event["metrics"])
        return pd.DataFrame(rows)

    def best_so_far(self, reported: bool) -> pd.Series:
        """By step: the score of the member that was best by its selecting score until then.

        ``reported`` takes that member's held-out score; what selects is the selecting score in either case. Non-finite
        scores are left out.
        """
        frame = self.evaluations
        frame = frame[np.isfinite(frame["score"])].sort_values(["step", "score"], kind="stable")
        leaders = frame.loc[frame["score"] > frame["score"].cummax().shift(fill_value=-np.inf)]
        steps = np.sort(self.evaluations["step"].unique())
        column = leaders.set_index("step")["held_out" if reported else "score"]
        return column[~column.index.duplicated(keep="last")].reindex(steps, method="ffill")


def load(folders: Iterable[Path]) -> list[Record]:
    """The runs in the given folders. ConfigError names a folder without a finished run.

    They are grouped by problem, in the order in which problems first occur, then sorted by method, variant and seed.
    """
    records = []
    for folder in folders:
        try:
            summary = json.loads((folder / "summary.json").read_text())
            records.append(Record(folder, summary, read(folder / "events.parquet")))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{folder} holds no finished run: {error}") from None
    if not records:
        raise ConfigError("no runs were given")
    order = method_order(records)
    return [
        record
        for own in of_each_problem(records).values()
        for record in sorted(own, key=lambda record: (order.index(record.method), record.seed))
    ]


def of_each_problem(records: Sequence[Record]) -> dict[str, list[Record]]:
    """The runs of each problem, in the order in which problems first occur: scores of two problems are never compared."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.problem, []).append(record)
    return grouped


def method_order(records: Sequence[Record]) -> list[str]:
    """The methods that occur: PBT first, the others by name, so that every figure has the same colours."""
    return sorted({record.method for record in records}, key=lambda name: (not name.startswith("pbt"), name))
