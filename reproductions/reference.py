"""Keeps a study's results for the repository: small tables with their provenance, and the paper's numbers beside them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pandas as pd

from reproductions import registry
from reproductions.registry import ConfigError

_PLAIN = (
    "domain",
    "problem",
    "method",
    "variant",
    "seed",
    "scale",
    "budget_steps",
    "member_steps",
    "cloned",
    "diverged",
    "failed",
)
_COST = ("wall_s", "cpu_s", "train_s", "evaluate_s", "save_s", "commit", "modified", "sources")


def keep(study: str, results: Path) -> Path:
    """Copy the tables of ``results/STUDY`` and one row a run into ``results/reference/STUDY``; returns that folder."""
    tables = results / study / "tables"
    if not tables.is_dir():
        raise ConfigError(f"study = {study!r} has no tables in {tables}: run snakemake first")
    out = results / "reference" / study
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(tables, out / "tables", ignore=shutil.ignore_patterns(".*"))
    summaries = [
        json.loads(path.read_text()) for path in sorted((results / study / "runs").glob("*/*/*/*/*/summary.json"))
    ]
    rows = []
    for summary in summaries:
        row = {key: summary[key] for key in _PLAIN}
        for kind in ("final", "best"):
            told = summary[kind] or {}
            row |= {f"{kind}_selected": told.get("score"), f"{kind}_reported": told.get("held_out")}
        rows.append(row | {key: summary[key] for key in _COST})
    pd.DataFrame(rows).to_csv(out / "runs.csv", index=False)
    machines = {json.dumps([summary["versions"], summary["machine"]], sort_keys=True) for summary in summaries}
    (out / "provenance.json").write_text(
        json.dumps([json.loads(machine) for machine in sorted(machines)], indent=1) + "\n"
    )
    paper = [
        {"domain": domain, **dataclasses.asdict(number)}
        for domain in registry.domains()
        for number in registry.sweep(domain).EXPECTED
    ]
    pd.DataFrame(paper).to_csv(results / "reference" / "paper.csv", index=False)
    return out
