"""Kills all processes that a worker has started: by their process group, and by a mark in the environment outside it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

#: The variable that all descendants of a worker inherit, whatever session they open.
MARK = "PBT_WORKER_MARK"
_PROC = Path("/proc")


def kill_group(leader: int) -> None:
    """Kill the process ``leader`` and everything in its process group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def kill_marked(mark: str) -> None:
    """Kill every process whose mark begins with ``mark``, but this one. Needs ``/proc``; does nothing without it."""
    for _ in range(3):  # a process may start another one while it is killed
        marked = list(_marked(mark))
        for process in marked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not marked:
            return


def _marked(mark: str) -> Iterator[int]:
    wanted = f"{MARK}={mark}".encode()
    this = os.getpid()
    for folder in _PROC.iterdir() if _PROC.is_dir() else ():
        if folder.name.isdigit() and int(folder.name) != this:
            with contextlib.suppress(OSError):
                variables = (folder / "environ").read_bytes().split(b"\0")
                if any(variable.startswith(wanted) for variable in variables):
                    yield int(folder.name)
