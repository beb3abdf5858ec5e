"""Kills all processes that a worker has started: by their process group, and by a mark outside it.

The mark stands in two places. What is executed inherits the environment; what is forked, and opens a session of its own, has
the environment of the process that was executed before it, and inherits a thread's name.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

#: The variable that all descendants of a worker inherit, whatever session they open.
MARK = "PBT_WORKER_MARK"
_PROC = Path("/proc")


def bear(mark: str) -> None:
    """Give this process a mark, RUN/WORKER with a full stop after it, that all it starts from now on inherits.

    Forks that take another name, and programs that are executed without this environment, have it no more.
    """
    os.environ[MARK] = mark
    with contextlib.suppress(OSError):  # there is no /proc
        (_PROC / "self" / "comm").write_bytes(_name(mark))


def kill_group(leader: int) -> None:
    """Kill the process ``leader`` and everything in its process group."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(leader, signal.SIGKILL)


def kill_marked(mark: str) -> None:
    """Kill every process whose mark begins with ``mark``, but this one. Needs ``/proc``; does nothing without it.

    mark: RUN/ for all workers of a run, or that of a single one.
    """
    for _ in range(3):  # a process may start another one while it is killed
        marked = list(_marked(mark))
        for process in marked:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not marked:
            return


def _marked(mark: str) -> Iterator[int]:
    wanted, name = f"{MARK}={mark}".encode(), _name(mark)
    this = os.getpid()
    for folder in _PROC.iterdir() if _PROC.is_dir() else ():
        if folder.name.isdigit() and int(folder.name) != this:
            with contextlib.suppress(OSError):  # it has ended, or is another user's
                variables = (folder / "environ").read_bytes().split(b"\0")
                named = (folder / "comm").read_bytes().startswith(name)
                if named or any(variable.startswith(wanted) for variable in variables):
                    yield int(folder.name)


def _name(mark: str) -> bytes:
    """A mark in the 15 bytes that a thread's name has: 40 bits of the run, and the worker."""
    run, _, worker = mark.partition("/")
    digest = base64.b32encode(hashlib.sha256(run.encode()).digest()[:5])
    return b"%s/%s" % (digest, worker.encode())
