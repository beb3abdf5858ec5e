"""Tables over finished runs of one domain: the methods side by side, and each pair of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pandas as pd

from reproductions import statistics
from reproductions.records import Record, method_order
from reproductions.registry import ConfigError


def final_scores(records: Sequence[Record], kind: str = "final") -> pd.DataFrame:
    """One row a run: method, seed, the selecting and the reported score of the ``final`` or the ``best`` ever member.

    ``reported`` is the held-out score, or the score itself where a task has nothing held out (an exact one).
    """
    rows = []
    for record in records:
        told = record.summary[kind] or {"score": float("nan"), "held_out": None, "metrics": {}}
        reported = told["score"] if told["held_out"] is None else told["held_out"]
        rows.append({"method": record.method, "seed": record.seed, "selected": told["score"], "reported": reported})
    return pd.DataFrame(rows)


def comparison(records: Sequence[Record]) -> pd.DataFrame:
    """One row a method: seeds, reported scores with intervals, the selecting score beside them, and what it all cost."""
    final, best = final_scores(records), final_scores(records, "best")
    rows = []
    for method in method_order(records):
        runs = [record for record in records if record.method == method]
        ours, peak = final[final.method == method], best[best.method == method]
        row: dict[str, object] = {"method": method, "seeds": len(runs)}
        for name, estimate in (
            ("reported_final_mean", statistics.mean(list(ours.reported))),
            ("reported_final_iqm", statistics.interquartile_mean(list(ours.reported))),
            ("reported_best_mean", statistics.mean(list(peak.reported))),
        ):
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        row["selected_final_mean"] = ours.selected.mean()
        for metric in sorted({name for run in runs for name in (run.summary["final"] or {"metrics": {}})["metrics"]}):
            values = [run.summary["final"]["metrics"][metric] for run in runs if run.summary["final"]]
            row[f"{metric}_final_mean"] = sum(values) / len(values)
        for key in ("budget_steps", "member_steps", "cloned", "diverged", "failed", "cpu_s", "wall_s"):
            row[f"{key}_mean"] = sum(run.summary[key] for run in runs) / len(runs)
        rows.append(row)
    budgets = {record.summary["budget_steps"] for record in records}
    if len(budgets) > 1:
        raise ConfigError(f"the runs have different budgets ({sorted(budgets)} steps) and cannot be compared")
    return pd.DataFrame(rows)


def pairs(records: Sequence[Record]) -> pd.DataFrame:
    """One row an ordered pair of methods: probability of improvement, and the mean paired difference over shared seeds."""
    final = final_scores(records)
    rows = []
    for ours, theirs in permutations(method_order(records), 2):
        a, b = (final[final.method == name].set_index("seed").reported for name in (ours, theirs))
        shared = sorted(set(a.index) & set(b.index))
        row: dict[str, object] = {"method": ours, "against": theirs, "seeds": len(shared)}
        estimates = {"probability_of_improvement": statistics.probability_of_improvement(list(a), list(b))}
        if shared:
            estimates["paired_difference"] = statistics.difference(list(a[shared]), list(b[shared]))
        for name, estimate in estimates.items():
            row |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
        rows.append(row)
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
            shown[name] = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in frame[name]]
    header = "| " + " | ".join(column.replace("_", " ") for column in shown.columns) + " |"
    rule = "|" + "---|" * len(shown.columns)
    lines = ["| " + " | ".join(row) + " |" for row in shown.itertuples(index=False)]
    return "\n".join([header, rule, *lines]) + "\n"


def write(records: Sequence[Record], out: Path) -> list[Path]:
    """``comparison`` and ``pairs`` as CSV and Markdown in the folder ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in (("comparison", comparison(records)), ("pairs", pairs(records))):
        for suffix, text in ((".csv", frame.to_csv(index=False)), (".md", to_markdown(frame))):
            path = out / f"{name}{suffix}"
            temporary = path.with_name(f"{path.name}.tmp")
            temporary.write_text(text)
            os.replace(temporary, path)
            written.append(path)
    return written
