"""What a run is called: one name, its folder below a results folder, its label in tables, its notation in config/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

from reproductions.suite.study.registry import ConfigError

#: The variant of a run without overrides.
DEFAULT = "default"
#: The folder of a run below a results folder, and its log there; braces hold the parts of its name, as in Snakemake.
FOLDER = "{scale}/runs/{domain}/{problem}/{method}/{variant}/seed-{seed}"
LOG = "{scale}/logs/{domain}-{problem}-{method}-{variant}-{seed}.log"

#: A part of a name that is text, in words and as a regular expression without look-ahead, which pydantic does not have.
WORDS = "letters, digits and ._- that begin with a letter or a digit and have no two dots in a row"
WORD = r"[A-Za-z0-9](?:\.?[A-Za-z0-9_-])*\.?"
#: The regular expression of each part of a name, for the wildcards of Snakemake. A seed has one way to be written.
PATTERNS: Mapping[str, str] = {
    **dict.fromkeys(("scale", "domain", "problem", "method", "variant"), WORD),
    "seed": "0|[1-9][0-9]*",
}
_FOLDER = re.compile(FOLDER.format(**{part: f"(?P<{part}>{pattern})" for part, pattern in PATTERNS.items()}))
#: Characters of a part that is text; a variant is one of several parts of the names of files, and shorter.
LONGEST, LONGEST_VARIANT = 100, 64
#: The sizes of experiments that every domain has, and the sections of a configuration that ask for runs.
ScaleName = Literal["smoke", "laptop", "paper"]
SCALES: tuple[ScaleName, ...] = get_args(ScaleName)
SECTIONS = ("experiments", "demo")


class Named(Protocol):
    """Whatever has the parts of a run's name: settings, a summary, a row of a table of runs."""

    @property
    def scale(self) -> str: ...
    @property
    def domain(self) -> str: ...
    @property
    def problem(self) -> str: ...
    @property
    def method(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True, order=True)
class RunName:
    """The name of a run: no two runs of a results folder share it. ConfigError for a part that cannot be one of a folder."""

    scale: str
    domain: str
    problem: str
    method: str
    variant: str = DEFAULT
    seed: int = 0

    def __post_init__(self) -> None:
        for part in PARTS[:-1]:
            value = getattr(self, part)
            if not isinstance(value, str) or len(value) > LONGEST or not re.fullmatch(WORD, value):
                raise ConfigError(f"{part} = {value!r} must be at most {LONGEST} {WORDS}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**63:
            raise ConfigError(f"seed = {self.seed!r} must be a whole number from 0 to {2**63 - 1}")

    @classmethod
    def of(cls, run: Mapping[str, Any] | Named) -> RunName:
        """The name of a run from its settings or its summary."""
        return cls(*(run[part] if isinstance(run, Mapping) else getattr(run, part) for part in PARTS))

    @classmethod
    def parse(cls, folder: Path) -> RunName:
        """The name of the run in a ``folder``, a path below a results folder; ConfigError where no run has that folder."""
        match = _FOLDER.fullmatch(folder.as_posix())
        if match is None:
            raise ConfigError(f"{folder} must be the folder of a run, {FOLDER}, where names are {WORDS}")
        parts = match.groupdict()
        return cls(seed=int(parts.pop("seed")), **parts)

    @property
    def folder(self) -> Path:
        """Where the run is kept below a results folder."""
        return Path(FOLDER.format(**vars(self)))

    @property
    def series(self) -> tuple[str, ...]:
        """All of the name but the seed, which is what runs of one method on one problem share."""
        return (self.scale, self.domain, self.problem, self.method, self.variant)

    @property
    def label(self) -> str:
        """The method as tables and figures call it."""
        return label(self.method, self.variant)


#: The parts of a name, in their order.
PARTS = tuple(field.name for field in fields(RunName))


def label(method: str, variant: str = DEFAULT) -> str:
    """A method as tables and figures call it: with its variant in brackets, unless that is the default."""
    return method if variant == DEFAULT else f"{method} ({variant})"


def parse_label(text: str) -> tuple[str, str]:
    """Method and variant of a ``label``."""
    method, bracket, variant = text.removesuffix(")").partition(" (")
    return method, variant if bracket else DEFAULT


def parse_method(text: str) -> tuple[str, str]:
    """Method and variant of ``METHOD`` or ``METHOD:VARIANT``, as config/ names them; ConfigError for anything else."""
    method, colon, variant = text.partition(":")
    if colon and variant == DEFAULT:
        raise ConfigError(f"{text!r} must be {method!r}: {DEFAULT!r} is the name of runs without a variant")
    if not all(re.fullmatch(WORD, part) for part in ([method, variant] if colon else [method])):
        raise ConfigError(f"{text!r} must be METHOD or METHOD:VARIANT, both {WORDS}")
    return method, variant if colon else DEFAULT


def in_words(runs: Iterable[RunName]) -> str:
    """Which runs these are, for a caption: ``pbt on hill, pbt (wide) on hill, each with seed-0, seed-1``."""
    runs = list(runs)
    methods = dict.fromkeys(f"{run.label} on {run.problem}" for run in runs)
    seeds = dict.fromkeys(f"seed-{run.seed}" for run in runs)
    return f"{', '.join(methods)}, each with {', '.join(seeds)}"


def finished(results: Path, scale: str) -> list[Path]:
    """The folders of the finished runs of a scale below a results folder, sorted."""
    anything = dict.fromkeys(PARTS, "*")
    pattern = FOLDER.format(**anything).partition("/")[2]
    return sorted(summary.parent for summary in (results / scale).glob(f"{pattern}/summary.json"))
