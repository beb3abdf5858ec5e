"""Where a result comes from: versions, commit, the digest of its sources, the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from pbt_core.engines.base import cores
from reproductions.suite.study.sources import ROOT, foreign, sources_digest

__all__ = ["ROOT", "provenance", "sources_digest"]


def provenance(domain: str, kind: str) -> dict[str, Any]:
    """For the summary of a run by a search method of this ``kind``.

    ``commit`` and ``modified`` are None where the sources are no checkout of their own.
    """
    return {
        **checkout(ROOT),
        "sources": sources_digest(domain, kind),
        "versions": {"python": platform.python_version(), **_versions(domain, kind)},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": cores()},
    }


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
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.removesuffix("\n") if done.returncode == 0 else None
