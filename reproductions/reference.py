"""Keeps a study's results for the repository: small tables with their provenance, and the paper's numbers beside them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    """Copy the tables of ``results/STUDY`` and one row a run into ``results/reference/STUDY``; returns that folder.

    Only the domains that have tables there are replaced: long domains need not be run on one day.
    """
    tables = results / study / "tables"
    if not tables.is_dir():
        raise ConfigError(f"study = {study!r} has no tables in {tables}: run snakemake first")
    out = results / "reference" / study
    domains = sorted(path.name for path in tables.iterdir() if path.is_dir())
    for domain in domains:
        shutil.rmtree(out / "tables" / domain, ignore_errors=True)
        shutil.copytree(tables / domain, out / "tables" / domain, ignore=shutil.ignore_patterns(".*"))
    paths = [path for name in domains for path in (results / study / "runs" / name).glob("*/*/*/*/summary.json")]
    summaries = [json.loads(path.read_text()) for path in sorted(paths)]
    rows = []
    for summary in summaries:
        row = {key: summary[key] for key in _PLAIN}
        for kind in ("final", "best"):
            told = summary[kind] or {}
            row |= {f"{kind}_selected": told.get("score"), f"{kind}_reported": told.get("held_out")}
        rows.append(row | {key: summary[key] for key in _COST})
    _write_runs(pd.DataFrame(rows), out / "runs.csv")
    _write_provenance(summaries, out / "provenance.json")
    paper = [
        {"domain": domain, **dataclasses.asdict(number)}
        for domain in registry.domains()
        for number in registry.sweep(domain).EXPECTED
    ]
    pd.DataFrame(paper).to_csv(results / "reference" / "paper.csv", index=False)
    return out


def _write_runs(runs: pd.DataFrame, path: Path) -> None:
    """Replace the rows of the domains of ``runs``."""
    if path.exists():
        kept = pd.read_csv(path)
        runs = pd.concat([kept[~kept.domain.isin(runs.domain)], runs]).sort_values("domain", kind="stable")
    runs.to_csv(path, index=False)


def _write_provenance(summaries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """By domain: the versions and machines that its runs had."""
    told = json.loads(path.read_text()) if path.exists() else {}
    for domain in {summary["domain"] for summary in summaries}:
        own = [s for s in summaries if s["domain"] == domain]
        places = {json.dumps([s["versions"], s["machine"]], sort_keys=True) for s in own}
        told[domain] = [json.loads(place) for place in sorted(places)]
    path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
