"""Where a result comes from: versions, commit, the digest of its sources, the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pbt_core.engines.base import cores
from reproductions.suite.study.sources import ROOT, foreign, sources_digest

__all__ = ["ROOT", "provenance", "sources_digest"]

#: Instruction sets by which libraries choose their kernels, and so in which order they add; of those that a processor has, the
#: first is told.
_WIDEST = ("avx512f", "avx2", "sve", "asimd")


def provenance(domain: str, kind: str) -> dict[str, Any]:
    """For the summary of a run by a search method of this ``kind``.

    ``commit`` and ``modified`` are None where the sources are no checkout of their own.
    """
    return {
        **checkout(ROOT),
        "sources": sources_digest(domain, kind),
        "versions": {"python": platform.python_version(), **_versions(domain, kind)},
        "machine": {"system": platform.system(), **processor(), **_cards(), "cores": cores()},
    }


def processor(information: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What the last bits of sums depend on: the architecture, which processor it is, and its widest vector instructions.

    ``information`` is Linux's file on processors. Where there is none, the processor is what Python knows, and instructions are
    not told.
    """
    try:
        lines = information.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    told = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    has = (told.get("flags") or told.get("features") or "").split()
    kind = [f"{word} {told[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if told.get(key)]
    name = told.get("model name") or platform.processor() or platform.machine()
    return {
        "architecture": platform.machine(),
        "processor": f"{name} ({', '.join(kind)})" if kind else name,
        **({"instructions": next((one for one in _WIDEST if one in has), "none of these")} if has else {}),
    }


def _cards() -> dict[str, list[str]]:
    """The names of NVIDIA's cards, where there are any; ``execution`` says whether a run used one."""
    names = (_answer(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]) or "").splitlines()
    return {"cards": names} if names else {}


def checkout(root: Path) -> dict[str, Any]:
    """The commit that ``root`` is a checkout of, and whether files were modified since.

    Both are None where there is no git, or where ``root`` lies inside another repository, whose commit says nothing of it.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    commit = _git(root, "rev-parse", "HEAD") if top and Path(top).resolve() == root.resolve() else None
    changes = _git(root, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"commit": commit, "modified": None if changes is None else bool(changes)}


def _versions(domain: str, kind: str) -> dict[str, str]:
    """By distribution, the versions of what the sources of a domain's runs import."""
    distributions = importlib.metadata.packages_distributions()
    names = {name for module in foreign(domain, kind) for name in distributions.get(module, ())}
    versions = {re.sub(r"[-_.]+", "-", name).lower(): importlib.metadata.version(name) for name in names}
    return dict(sorted(versions.items()))


def _git(root: Path, *arguments: str) -> str | None:
    """The answer of git, or None where it has none."""
    # Inside a hook of git these would name another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return _answer(["git", "-C", str(root), *arguments], environment)


def _answer(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str | None:
    """What a command prints, without its last line break; None if there is no such command, or it fails."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.removesuffix("\n") if done.returncode == 0 else None
