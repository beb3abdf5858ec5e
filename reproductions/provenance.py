"""Where a result comes from: versions, commit, a digest of the sources it depends on, the machine."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

from pbt_core.engines.base import cores
from reproductions import registry

ROOT = Path(__file__).parent.parent
#: Distributions whose version may change a number.
PACKAGES = (
    "numpy",
    "scipy",
    "torch",
    "torchvision",
    "torch-fidelity",
    "ale-py",
    "opencv-python-headless",
    "sacrebleu",
    "sentencepiece",
    "safetensors",
    "pyarrow",
    "optuna",
    "scikit-learn",
)
#: What every run depends on, whatever its domain: not how results are looked at.
_SHARED = (
    "pbt_core",
    "baselines",
    "reproductions/methods.py",
    "reproductions/operators.py",
    "reproductions/settings.py",
    "reproductions/run.py",
)
_LOOKS = {"analysis.py"}


def sources_digest(domain: str) -> str:
    """SHA-256 (16 digits) of the sources that can change a run of ``domain``: an edited figure does not, a task does."""
    names = (*_SHARED, f"reproductions/{domain}", *registry.sweep(domain).SOURCES)
    files = {
        path for name in names for path in ([ROOT / name] if name.endswith(".py") else (ROOT / name).rglob("*.py"))
    }
    sha = hashlib.sha256()
    for path in sorted(path for path in files if path.name not in _LOOKS):
        sha.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return sha.hexdigest()[:16]


def provenance(domain: str) -> dict[str, Any]:
    """For the summary of a run."""
    return {
        "commit": _git("rev-parse", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "sources": sources_digest(domain),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": cores()},
    }


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git(*arguments: str) -> str | None:
    """The answer of git, or None where there is no git or no checkout."""
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=30)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
