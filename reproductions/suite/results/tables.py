"""Tables over finished runs of one domain, problem by problem: the methods side by side, and each pair of them.

A run without a finite score is never left out, or its method would look better for it. It is counted (``without_score``); a
mean over seeds that it belongs to has no value; where only order matters, it is below all that have a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd

from reproductions.suite.results import statistics
from reproductions.suite.results.comparable import asked_for, must_be_comparable
from reproductions.suite.results.records import Outcome, Record, method_order, of_each_problem
from reproductions.suite.results.rows import TABLES, Row
from reproductions.suite.results.scores import is_usable
from reproductions.suite.results.scores import normalised as human_normalised
from reproductions.suite.study.inputs import InputError, read_rows
from reproductions.suite.study.sweep import Anchor

Cells = dict[str, Any]


def final_scores(records: Sequence[Outcome], kind: str = "final") -> pd.DataFrame:
    """One row a run: problem, method, seed, the selecting and the reported score of the ``final`` or ``best`` ever member.

    ``reported`` is ``Record.reported``. Both are NaN where there is no finite one.
    """
    rows = []
    for record in records:
        selected = (record.summary[kind] or {}).get("score")
        scores = {"selected": _finite(selected), "reported": _finite(record.reported(kind))}
        rows.append({"problem": record.problem, "method": record.method, "seed": record.seed, **scores})
    return pd.DataFrame(rows)


def _finite(score: float | None) -> float:
    return score if score is not None and is_usable(score) else math.nan


def comparison(records: Sequence[Record], budgets_differ: bool = False) -> pd.DataFrame:
    """One row a problem and method: seeds, how many of them have no finite reported score, reported scores with intervals,
    the selecting score beside them, and all costs.

    ``report_cpu_s`` is the cost of final reports, where there are any: outside the budget and all other costs.
    ``clock_steps`` is what a search that trains one member after another pays for, though its budget is the same.
    Raises InputError for runs that must not be compared (``results.comparable``): budgets differ only if that is studied.
    """
    must_be_comparable(asked_for(records), budgets_differ)
    return _of_each_problem(records, _compared)


def pairs(records: Sequence[Record]) -> pd.DataFrame:
    """One row a problem and ordered pair of methods: probability of improvement, mean paired difference over shared seeds."""
    frame = _of_each_problem(records, _paired)
    return frame if len(frame) else pd.DataFrame(columns=["problem", "method", "against", "seeds"])


def _of_each_problem(records: Sequence[Record], make: Callable[[Sequence[Record]], list[Cells]]) -> pd.DataFrame:
    """The rows that ``make`` returns for the runs of each problem, with the problem as the first column."""
    grouped = of_each_problem(records)
    return pd.DataFrame(
        [{"problem": problem, **row} for problem, of_problem in grouped.items() for row in make(of_problem)]
    )


def _compared(records: Sequence[Record]) -> list[Cells]:
    final, best = final_scores(records), final_scores(records, "best")
    rows = []
    for method in method_order(records):
        runs = [record for record in records if record.method == method]
        ours, peak = final[final.method == method], best[best.method == method]
        row: Cells = {"method": method, "seeds": len(runs), "without_score": int(ours.reported.isna().sum())}
        for name, estimate in (
            ("reported_final_mean", statistics.mean(list(ours.reported))),
            ("reported_final_iqm", statistics.interquartile_mean(list(ours.reported))),
            ("reported_best_mean", statistics.mean(list(peak.reported))),
        ):
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        row["selected_final_mean"] = ours.selected.mean(skipna=False)
        metrics = [(run.summary["final"] or {}).get("metrics", {}) for run in runs]
        for metric in sorted({name for of_run in metrics for name in of_run}):
            mean = sum(of_run.get(metric, math.nan) for of_run in metrics) / len(metrics)
            row[f"{metric}_final_mean"] = _finite(mean)
        row["clock_steps_mean"] = sum(run.clock_steps for run in runs) / len(runs)
        for key in ("budget_steps", "member_steps", "cloned", "diverged", "failed", "cpu_s", "wall_s"):
            row[f"{key}_mean"] = sum(run.summary[key] for run in runs) / len(runs)
        if reports := [run.report_cpu_s for run in runs if run.report_cpu_s is not None]:
            row["report_cpu_s_mean"] = sum(reports) / len(runs)
        rows.append(row)
    return rows


def _paired(records: Sequence[Record]) -> list[Cells]:
    final = final_scores(records)
    rows = []
    for ours, theirs in permutations(method_order(records), 2):
        a, b = (final[final.method == name].set_index("seed").reported for name in (ours, theirs))
        shared = sorted(set(a.index) & set(b.index))
        row: Cells = {"method": ours, "against": theirs, "seeds": len(shared)}
        estimates = {"probability_of_improvement": statistics.probability_of_improvement(list(a), list(b))}
        if shared:
            estimates["paired_difference"] = statistics.difference(list(a[shared]), list(b[shared]))
        for name, estimate in estimates.items():
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        rows.append(row)
    return rows


def normalised(records: Sequence[Record], anchors: Mapping[str, Anchor]) -> pd.DataFrame:
    """One row a problem and method: the reported score in per cent of the way from random play to people.

    The last rows, problem ``mean``, average over all problems, seed by seed; they need every method and seed on every
    problem and leave out what was not run somewhere. A seed without a finite score on one of them has none here.
    """
    frame = final_scores([record for record in records if record.problem in anchors])
    scores = {
        problem: of_problem.assign(score=human_normalised(of_problem.reported, of_problem.problem, anchors))
        .set_index(["method", "seed"])
        .score
        for problem, of_problem in (frame.groupby("problem", sort=False) if len(frame) else ())
    }
    if len(scores) > 1:
        scores["mean"] = pd.concat(scores, axis=1, join="inner").mean(axis=1, skipna=False)
    rows: list[Cells] = []
    for problem, of_problem in scores.items():
        for method in (name for name in method_order(records) if name in of_problem.index.get_level_values("method")):
            seeds = list(of_problem[method])
            estimate = statistics.mean(seeds)
            row: Cells = {
                "problem": problem,
                "method": method,
                "seeds": len(seeds),
                "without_score": sum(map(math.isnan, seeds)),
                "human_normalised_mean": estimate.value,
            }
            rows.append(row | {"human_normalised_mean_low": estimate.low, "human_normalised_mean_high": estimate.high})
    return pd.DataFrame(rows)


def to_markdown(frame: pd.DataFrame) -> str:
    """A table for people: three decimals, and each value with its interval in one cell."""
    shown = pd.DataFrame()
    for name in frame.columns:
        if name.endswith(("_low", "_high")):
            continue
        if f"{name}_low" in frame:
            columns = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
            shown[name] = [str(statistics.Estimate(*values)) for values in columns]
        else:
            shown[name] = [_cell(value) for value in frame[name]]
    header = "| " + " | ".join(column.replace("_", " ") for column in shown.columns) + " |"
    rule = "|" + "---|" * len(shown.columns)
    lines = ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False)]
    return "\n".join([header, rule, *lines]) + "\n"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def write(
    records: Sequence[Record], out: Path, anchors: Mapping[str, Anchor], budgets_differ: bool = False
) -> list[Path]:
    """``comparison``, ``pairs`` and, if a problem has anchors, ``normalised`` as CSV and Markdown in the folder ``out``."""
    written = []
    frames = {"comparison": comparison(records, budgets_differ), "pairs": pairs(records)}
    if any(record.problem in anchors for record in records):
        frames["normalised"] = normalised(records, anchors)
    for name, frame in frames.items():
        for suffix, text in ((".csv", frame.to_csv(index=False)), (".md", to_markdown(frame))):
            path = out / f"{name}{suffix}"
            path.write_text(text)
            written.append(path)
    return written


def read(path: Path, kind: str | None = None) -> pd.DataFrame:
    """A table that was written before, checked against the schema of its ``kind``: its file name, unless that is another.

    InputError in one line for whatever is wrong with it.
    """
    kind = kind or path.name
    if kind not in TABLES:
        raise InputError(f"{path}: must be one of the tables {list(TABLES)}")
    rows = read_rows(path, TABLES[kind])
    if not rows:
        raise InputError(f"{path}: must have at least one row")
    return pd.DataFrame(map(_cells, rows))


def _cells(row: Row) -> Cells:
    return {key: math.nan if value is None else value for key, value in row.model_dump(exclude_unset=True).items()}
