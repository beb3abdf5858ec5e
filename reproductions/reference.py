"""Keeps a study's results for the repository: small tables with their provenance, and the paper's numbers beside them."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reproductions import claims, registry
from reproductions.records import Record, load
from reproductions.registry import ConfigError
from reproductions.traits import traits

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


#: What is read of a run: all that tables and figures need. Not every domain has illustrations.
_RECORD = ("events.parquet", "lineage.json", "summary.json", "illustration.safetensors")


def keep(study: str, results: Path, whole: Sequence[str] = ()) -> Path:
    """Copy the tables of ``results/STUDY`` and one row a run into ``results/reference/STUDY``; returns that folder.

    Only what is there is replaced, experiment by experiment and run by run: it need not all be run on one day. Of the
    domains in ``whole`` the records are copied too, so that figures can be remade where running again takes hours.
    """
    tables = results / study / "tables"
    if not tables.is_dir():
        raise ConfigError(f"study = {study!r} has no tables in {tables}: run snakemake first")
    out = results / "reference" / study
    for folder in sorted(path for path in tables.iterdir() if path.is_dir()):
        shutil.rmtree(out / "tables" / folder.name, ignore_errors=True)
        shutil.copytree(folder, out / "tables" / folder.name, ignore=shutil.ignore_patterns(".*"))
    records = load(path.parent for path in sorted((results / study / "runs").glob("*/*/*/*/*/summary.json")))
    for record in (record for record in records if record.summary["domain"] in whole):
        folder = out / record.folder.relative_to(results / study)
        folder.mkdir(parents=True, exist_ok=True)
        for path in (record.folder / name for name in _RECORD):
            if path.exists():
                shutil.copy(path, folder)
    table = out / "runs.csv"
    known = [pd.read_csv(table)] if table.exists() else []
    write_runs(pd.concat([*known, runs(records)]), table)
    claims.write(claims.judge(claims.all_claims(), pd.read_csv(table)), out)
    _write_provenance([record.summary for record in records], out / "provenance.json")
    paper = [
        {"domain": domain, **dataclasses.asdict(number)}
        for domain in registry.domains()
        for number in registry.sweep(domain).EXPECTED
    ]
    pd.DataFrame(paper).to_csv(results / "reference" / "paper.csv", index=False)
    return out


def runs(records: Sequence[Record]) -> pd.DataFrame:
    """One row a run: what was asked for, the scores, what the lineages show, and the cost. What claims are judged by."""
    rows = []
    for record in records:
        row = {key: record.summary[key] for key in _PLAIN}
        for kind in ("final", "best"):
            told = record.summary[kind] or {}
            row |= {f"{kind}_selected": told.get("score"), f"{kind}_reported": told.get("held_out")}
        row |= traits(record)
        rows.append(row | {key: record.summary[key] for key in _COST})
    return pd.DataFrame(rows)


def write_runs(runs: pd.DataFrame, path: Path) -> None:
    """Write a table of runs in its order; of several rows of one run the last is the one that counts."""
    key = list(_PLAIN[:6])
    temporary = path.with_name(f"{path.name}.tmp")
    runs.drop_duplicates(key, keep="last").sort_values(key).to_csv(temporary, index=False)
    os.replace(temporary, path)


def _write_provenance(summaries: Sequence[Mapping[str, Any]], path: Path) -> None:
    """By domain: the versions and machines that its runs had."""
    told = json.loads(path.read_text()) if path.exists() else {}
    for domain in {summary["domain"] for summary in summaries}:
        own = [s for s in summaries if s["domain"] == domain]
        places = {json.dumps([s["versions"], s["machine"]], sort_keys=True) for s in own}
        told[domain] = [json.loads(place) for place in sorted(places)]
    path.write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")
