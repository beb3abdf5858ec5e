"""What Snakemake would do for a target, and why: read from its own table of files (``--summary``), not from prose."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproductions.suite.results.schemas import Summary
from reproductions.suite.study import configuration
from reproductions.suite.study.availability import LEFT_OUT
from reproductions.suite.study.inputs import read_model
from reproductions.suite.study.names import RunName
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sources import sources_digest

#: The rule that makes runs, and the folder that they are kept in.
_RULE, _RESULTS = "run", Path("results")
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
    def run(self) -> RunName | None:
        """The run that it makes, if it makes one."""
        if self.rule != _RULE:
            return None
        return RunName.parse(Path(self.outputs[0]).parent.relative_to(_RESULTS))


@dataclass(frozen=True)
class Answer:
    """Snakemake's table of all files of its targets, and the lines that say what is left out of them on this machine."""

    table: str
    left_out: tuple[str, ...]


def ask(
    targets: Sequence[str], configfiles: Sequence[Path], settings: Sequence[str] = (), directory: Path = Path()
) -> Answer:
    """What Snakemake says of ``targets``; ``settings`` are KEY=VALUE of its configuration.

    ConfigError if a configuration file is not valid or, with Snakemake's last line, if Snakemake refuses.
    """
    for path in configfiles:
        try:
            configuration.read(directory / path)
        except ConfigError as error:
            raise ConfigError(f"--configfile {error}") from None
    for setting in settings:
        key, equals, _ = setting.partition("=")
        if not key or not equals:
            raise ConfigError(f"--config {setting!r}: must be KEY=VALUE")
    command = [sys.executable, "-m", "snakemake", "--summary"]
    command += ["--configfile", *map(str, configfiles)] if configfiles else []
    command += ["--config", *settings] if settings else []
    done = subprocess.run([*command, "--", *targets], cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        if lines[-1].startswith("error: "):  # a line of our own
            raise ConfigError(lines[-1].removeprefix("error: "))
        # Snakemake adds advice for authors of rules in brackets.
        line = lines[-1].split(" (if you use input functions")[0].strip()
        raise ConfigError(f"target {' '.join(targets)!r}: {line}")
    return Answer(done.stdout, tuple(line for line in done.stderr.splitlines() if line.startswith(LEFT_OUT)))


def jobs(table: str, directory: Path = Path()) -> list[Job]:
    """The jobs of Snakemake's table, each with the reason why it has to be done."""
    files: dict[tuple[str, str], list[dict[str, str]]] = {}
    table = table[table.find("output_file\t") :]  # whatever a rule file printed comes before it
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        file = row["output_file"]  # the job of a run has several files in one folder, other jobs have one
        files.setdefault((row["rule"], str(Path(file).parent) if row["rule"] == _RULE else file), []).append(row)
    return [
        Job(rule, tuple(row["output_file"] for row in rows), _why(rows, directory / key))
        for (rule, key), rows in files.items()
    ]


def _why(rows: Sequence[Mapping[str, str]], folder: Path) -> str:
    if all(row["plan"] == "no update" for row in rows):
        return ""
    reasons = {_REASONS.get(row["status"], row["status"]) for row in rows} - {"ok"}
    if "missing" in reasons and (folder / "state" / "events.jsonl").exists():
        reasons = reasons - {"missing"} | {"begun, not finished"}
    if "the settings changed" in reasons and _other_sources(folder / "summary.json"):
        reasons = reasons - {"the settings changed"} | {"the sources changed"}
    if rows[0]["rule"] != _RULE:
        reasons = {
            "the settings or the code changed" if reason == "the settings changed" else reason for reason in reasons
        }
    # Snakemake's table does not name the remaining reasons. Most runs have no inputs, so for
    # them it is hardly ever the first of these.
    unnamed = "inputs made anew" if rows[0]["rule"] != _RULE else "inputs made anew, interrupted or another environment"
    return ", ".join(sorted(reasons)) or unnamed


def _other_sources(summary: Path) -> bool:
    """Whether a finished run was made by other sources than today's, whose digest is one of its rule's parameters."""
    try:
        made = read_model(summary, Summary)
        return made.sources != sources_digest(made.domain, (made.settings.model_extra or {})["search"]["kind"])
    except (KeyError, TypeError, ConfigError):  # there is none, or none that says so
        return False
