"""Folders for what a process writes while it runs, cleared away even after those that were killed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from pbt_core.files import Busy, locked

_PREFIX = "scratch-"


class Scratch:
    """A folder of its maker's own below ``parent`` until ``close``. Whoever comes next removes what killed ones left.

    clearing: what else there is to be done, given the folder of one that was killed, before it is removed.
    """

    def __init__(self, parent: Path, clearing: Callable[[Path], None] | None = None) -> None:
        self._parent = parent
        with locked(parent, wait=True):
            for path in parent.glob(f"{_PREFIX}*"):
                with contextlib.suppress(Busy), locked(path):  # which its maker holds as long as it lives
                    if clearing is not None:
                        clearing(path)
                    shutil.rmtree(path)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
            self._held = contextlib.ExitStack()
            self._held.enter_context(locked(self.path))

    def close(self) -> None:
        # Under the parent's lock, or whoever comes next could meet the folder half removed and without its lock.
        if self._parent.exists():
            with locked(self._parent, wait=True):
                shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()
