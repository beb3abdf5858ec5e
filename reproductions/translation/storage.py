"""Folders that are built once, by whoever comes first, and checked whenever they are used."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

MANIFEST = "manifest.json"


class DataError(RuntimeError):
    """A corpus is missing or its files are not what they should be; the message names files and remedies."""


def once(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, filled by ``build(empty folder)`` unless it is there already; DataError if a file in it was altered.

    Processes that come at once wait for the first. The folder gets its name when it is complete, so that one killed in
    the middle leaves nothing that could be taken for it. Equal content gives equal bytes, the manifest included.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        # The system releases the lock when its holder dies, so no stale lock remains.
        with folder.with_name(f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():  # another process may have built it while this one waited
                temporary = folder.with_name(f"{folder.name}.tmp")
                shutil.rmtree(temporary, ignore_errors=True)  # what a killed builder left
                temporary.mkdir()
                build(temporary)
                digests = {path.name: sha256(path) for path in sorted(temporary.iterdir())}
                (temporary / MANIFEST).write_text(json.dumps(digests, indent=1) + "\n", encoding="utf-8")
                temporary.rename(folder)
    check(folder)
    return folder


def check(folder: Path) -> None:
    """DataError naming the first file of ``folder`` that is missing or not the one of the manifest."""
    try:
        for name, expected in json.loads((folder / MANIFEST).read_text(encoding="utf-8")).items():
            if (got := sha256(folder / name)) != expected:
                raise ValueError(f"sha256 of {name} is {got}, of the manifest {expected}")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{folder} is torn or altered ({error}); remove the folder to build it again") from None


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
