"""What a run needs that may not be on this machine: modules, data, a game, a system. Checks are cheap and import nothing.

A domain's ``sweep.py`` lists all that its runs need in ``REQUIRES``, each with the settings of the task that need it::

    REQUIRES = (
        *modules("torch", "sentencepiece", extra="translation"),
        files("WMT14", ["wmt14/train.en", "wmt14/train.de"], "put them there (https://...)", when={"corpus": "wmt14"}),
    )
"""

from __future__ import annotations

import http.client
import importlib.util
import os
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from baselines.extras import install
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError

#: Settings of a task, by name. Those that are not set have the task's defaults, which are not known here.
Task = Mapping[str, Any]
#: Why something is not here, in a few words; None where it is.
Check = Callable[[Task], str | None]
#: Seconds that a server may take to answer.
ANSWER_SECONDS = 3.0


@dataclass(frozen=True)
class Requirement:
    """Something that runs need.

    what: its name, as in "it needs WMT14". remedy: how to get it. check: whether it is missing, for a run with these settings
    of the task. when: only runs with these settings of the task need it, such as ``{"corpus": "wmt14"}``; a tuple stands for
    any of its values. imported: the task's module cannot even be imported without it.
    """

    what: str
    remedy: str
    check: Check
    when: Task = field(default_factory=dict)
    imported: bool = False

    def missing(self, task: Task) -> str | None:
        """What a run with these settings of the task lacks, why and the remedy, in one line; None where it lacks nothing."""
        if not all(
            task.get(key) in (value if isinstance(value, tuple) else (value,)) for key, value in self.when.items()
        ):
            return None
        reason = self.check(task)
        return None if reason is None else f"{self.what} ({reason}): {self.remedy}"


def modules(
    *names: str, extra: str = "", when: Task | None = None, remedy: str | None = None
) -> tuple[Requirement, ...]:
    """Top-level Python modules that an extra of this package installs, or that another ``remedy`` brings."""

    def check(name: str) -> Check:
        return lambda task: None if importlib.util.find_spec(name) else "not installed"

    remedy = remedy or install(extra)
    return tuple(
        Requirement(f"the module {name!r}", remedy, check(name), when or {}, imported=not when) for name in names
    )


def files(what: str, names: Sequence[str], remedy: str, when: Task | None = None, below: str = "data") -> Requirement:
    """Files or folders below the folder that the task's setting ``below`` names, which by default has that name itself."""

    def check(task: Task) -> str | None:
        lost = [path for path in (Path(str(task.get(below, below)), name) for name in names) if not _is_there(path)]
        return f"{lost[0]} is missing" if lost else None

    return Requirement(what, remedy, check, when or {})


def download(what: str, name: str, url: str, when: Task | None = None, below: str = "data") -> Requirement:
    """A file that runs fetch from ``url`` into the folder of the setting ``below``: it is there, or the server answers.

    The server is asked (HEAD) only where the file is not there, once a process: by runs, and by what plans them, ``list`` too.
    """

    def check(task: Task) -> str | None:
        path = Path(str(task.get(below, below)), name)
        return None if _is_there(path) or _answers(url) else f"{path} is missing and its server does not answer"

    return Requirement(what, f"with internet, get {url} and put it there", check, when or {})


def folder(what: str, variable: str, remedy: str, when: Task | None = None) -> Requirement:
    """A folder that an environment variable names, such as that of a game."""

    def check(task: Task) -> str | None:
        if not (place := os.environ.get(variable)):
            return f"the environment variable {variable} is not set"
        return None if Path(place).is_dir() else f"{variable}={place} is no folder"

    return Requirement(what, remedy, check, when or {})


def platform(*names: str, remedy: str, when: Task | None = None) -> Requirement:
    """A system, by the beginning of ``sys.platform``: linux, darwin, win32."""

    def check(task: Task) -> str | None:
        return None if sys.platform.startswith(names) else f"this is {sys.platform}"

    return Requirement(f"the system {' or '.join(names)}", remedy, check, when or {})


def missing(domain: str, task: Task) -> list[str]:
    """What runs of a domain with these settings of the task lack on this machine: one line each, with the remedy."""
    lines = (requirement.missing(task) for requirement in registry.sweep(domain).REQUIRES)
    return list(dict.fromkeys(line for line in lines if line is not None))


def importable(domain: str) -> bool:
    """Whether all is installed that the module of a domain's task imports, so that the task's settings can be checked."""
    return not any(requirement.missing({}) for requirement in registry.sweep(domain).REQUIRES if requirement.imported)


def require(run: str, lines: Iterable[str]) -> None:
    """ConfigError where a run, in words, lacks something; ``lines`` are those of ``missing``."""
    if wanting := list(lines):
        raise ConfigError(f"{run} cannot run here: it needs {'; '.join(wanting)}")


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - False, too, for a name that is too long


@cache
def _answers(url: str) -> bool:
    """Whether a server has the file, as far as it says within ANSWER_SECONDS seconds; it is asked once."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=ANSWER_SECONDS):
                answers.append(True)
        except (OSError, http.client.HTTPException):
            pass

    # Looking up a host's name has no timeout of its own.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
    return bool(answers)
