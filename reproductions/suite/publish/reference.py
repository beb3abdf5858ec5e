"""Keeps a study's results for the repository: its records in a file a domain, its tables, and the paper's numbers."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from pbt_core.files import write_whole
from reproductions.suite.publish import packing
from reproductions.suite.results import run_table, verdicts
from reproductions.suite.results.claims import all_claims
from reproductions.suite.results.records import load
from reproductions.suite.results.rows import TABLES
from reproductions.suite.results.schemas import Provenance
from reproductions.suite.results.tables import read
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import InputError, read_model
from reproductions.suite.study.names import RunName, finished
from reproductions.suite.study.outputs import added, copy_folder, exchanged, is_empty
from reproductions.suite.study.registry import ConfigError


def keep(study: str, results: Path) -> Path:
    """Keep the records, the tables and one row a run of ``results/STUDY`` in ``results/reference/STUDY``; returns that folder.

    Only the experiments and runs in ``results/STUDY`` are replaced there, so a study may be run and kept in parts. Everything
    is read and made before the folder is exchanged: an error leaves the former one as it was.
    """
    tables = results / study / "tables"
    if not tables.is_dir():
        raise ConfigError(f"study = {study!r} has no tables in {tables}: run snakemake first")
    out = results / "reference" / study
    records = load(finished(results, study))
    with exchanged(out) as new:
        for folder in sorted(path for path in tables.iterdir() if path.is_dir()):
            for path in (path for path in folder.glob("*.csv") if path.name in TABLES and path.name != "pairs.csv"):
                read(path)  # a lone method has no pairs
            shutil.rmtree(new / "tables" / folder.name, ignore_errors=True)
            copy_folder(folder, new / "tables" / folder.name, ".*")
        for domain in sorted({record.summary["domain"] for record in records}):
            packed(new, domain).parent.mkdir(exist_ok=True)
            packing.pack([r for r in records if r.summary["domain"] == domain], packed(new, domain))
        known = [run_table.read_runs(out / "runs.csv")] if os.path.lexists(out / "runs.csv") else []
        table = run_table.one_row_a_run(pd.concat([*known, run_table.runs(records)]))
        table.to_csv(new / "runs.csv", index=False)
        verdicts.write(verdicts.judge(all_claims(), run_table.read_runs(new / "runs.csv")), new)
        provenance = _provenance([record.summary for record in records], out / "provenance.json")
        (new / "provenance.json").write_text(json.dumps(provenance, indent=1, sort_keys=True) + "\n")
    paper = [
        {"domain": domain, **dataclasses.asdict(number)}
        for domain in registry.domains()
        for number in registry.sweep(domain).EXPECTED
    ]
    write_whole(results / "reference" / "paper.csv", pd.DataFrame(paper).to_csv(index=False))
    return out


def packed(kept: Path, domain: str) -> Path:
    """The file with the records of a domain in the folder ``kept`` of a study."""
    return kept / "records" / f"{domain}{packing.SUFFIX}"


def restore(study: str, results: Path) -> dict[Path, bool]:
    """Write the kept records of a study below ``results``, as if its runs had been made there.

    Returns their folders, and of each whether it was written.

    A finished run that is there already stays. All are written aside and moved in place at the end, each at once. ConfigError
    if none are kept, for a file that holds others than the study's runs of its domain, and for an unfinished run in the way.
    """
    files = sorted((results / "reference" / study / "records").glob(f"*{packing.SUFFIX}"))
    if not files:
        raise ConfigError(f"study = {study!r} has no kept records in {results / 'reference' / study / 'records'}")
    with added(results) as place:
        names = [
            name for file in files for name in packing.unpack(file, place, partial(_is_missing, file, study, results))
        ]
        written = {results / name.folder: not _is_made(results / name.folder) for name in names}
    return written


def _is_missing(file: Path, study: str, results: Path, name: RunName) -> bool:
    """Whether the run is to be written. InputError unless it belongs in this file of this study."""
    if file.name != packed(file.parent, name.domain).name or name.scale != study:
        raise InputError(f"{file}: must hold runs of scale {study} and of its domain, not {name.folder}")
    folder = results / name.folder
    if os.path.lexists(folder) and not _is_made(folder) and not is_empty(folder):
        raise ConfigError(
            f"{folder} holds an unfinished run: finish it, or move it away, before the kept one takes its place"
        )
    return not _is_made(folder)


def _is_made(folder: Path) -> bool:
    return (folder / "summary.json").is_file()


def _provenance(summaries: Sequence[Mapping[str, Any]], path: Path) -> dict[str, Any]:
    """By domain, the versions and machines of its runs: those in ``path``, replaced by those of these runs."""
    provenance = read_model(path, Provenance).model_dump() if os.path.lexists(path) else {}
    for domain in {summary["domain"] for summary in summaries}:
        of_domain = [s for s in summaries if s["domain"] == domain]
        places = {json.dumps([s["versions"], s["machine"]], sort_keys=True) for s in of_domain}
        provenance[domain] = [json.loads(place) for place in sorted(places)]
    return provenance
