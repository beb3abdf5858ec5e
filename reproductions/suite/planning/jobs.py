"""What Snakemake would do for a target, and why: read from its own table of files (``--summary``), not from prose."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproductions.suite.planning.costs import Name
from reproductions.suite.study import configuration
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sources import sources_digest

_RUN = re.compile(r"results/(\w+)/runs/([^/]+)/([^/]+)/([^/]+)/([^/]+)/seed-\d+/")
#: What Snakemake says of a file, in our words.
_REASONS = {
    "missing": "missing",
    "updated input files": "newer inputs",
    "rule implementation changed": "the rule changed",
    "set of input files changed": "other inputs",
    "params changed": "the settings changed",
}


@dataclass(frozen=True)
class Job:
    """One job of the workflow, finished or not. ``why`` is empty where nothing has to be done."""

    rule: str
    outputs: tuple[str, ...]
    why: str

    @property
    def run(self) -> tuple[str, Name] | None:
        """Scale and name of the run that it makes, if it makes one."""
        found = _RUN.match(self.outputs[0])
        return found and (found[1], (found[2], found[3], found[4], found[5]))


def ask(targets: Sequence[str], configfiles: Sequence[Path], directory: Path = Path()) -> str:
    """Snakemake's table of all files of ``targets``; ConfigError if a file is none, or with its last line."""
    for path in configfiles:
        try:
            configuration.read(directory / path)
        except ConfigError as error:
            raise ConfigError(f"--configfile {error}") from None
    command = [sys.executable, "-m", "snakemake", "--summary"]
    command += ["--configfile", *map(str, configfiles)] if configfiles else []
    done = subprocess.run([*command, "--", *targets], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        # Snakemake adds advice for authors of rules in brackets.
        line = lines[-1].removeprefix("error: ").split(" (if you use input functions")[0].strip()
        raise ConfigError(line if line.startswith("config") else f"target {' '.join(targets)!r}: {line}")
    return done.stdout


def jobs(table: str, directory: Path = Path()) -> list[Job]:
    """The jobs of Snakemake's table, with the reasons of those that are to do."""
    files: dict[tuple[str, str], list[dict[str, str]]] = {}
    table = table[table.find("output_file\t") :]  # whatever a rule file printed comes before it
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        found = _RUN.match(row["output_file"])  # a run's job has several files, the others' one
        files.setdefault((row["rule"], found[0] if found else row["output_file"]), []).append(row)
    return [
        Job(rule, tuple(row["output_file"] for row in rows), _why(rows, directory / key))
        for (rule, key), rows in files.items()
    ]


def _why(rows: Sequence[Mapping[str, str]], folder: Path) -> str:
    if all(row["plan"] == "no update" for row in rows):
        return ""
    said = {_REASONS.get(row["status"], row["status"]) for row in rows} - {"ok"}
    if "missing" in said and (folder / "state" / "events.jsonl").exists():
        said = said - {"missing"} | {"begun, not finished"}
    if "the settings changed" in said and _other_sources(folder / "summary.json"):
        said = said - {"the settings changed"} | {"the sources changed"}
    # Snakemake's table has no word for the rest. Most runs have no inputs, so for them it is hardly ever the first of these.
    rest = "inputs made anew" if rows[0]["rule"] != "run" else "inputs made anew, interrupted or another environment"
    return ", ".join(sorted(said)) or rest


def _other_sources(summary: Path) -> bool:
    """Whether a finished run was made by other sources than today's, whose digest is one of its rule's parameters."""
    try:
        told = json.loads(summary.read_text())
        return bool(told["sources"] != sources_digest(told["domain"]))
    except (OSError, ValueError, KeyError, ConfigError):
        return False
