"""The clean process that workers are forks of: it has imported what they need, so that each costs milliseconds.

It is multiprocessing's, in instances of our own. One is kept for the next run, unless that would find something else now:
in another process, with other environment variables, or where the file of a module was edited.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import forkserver, process, spawn
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from pbt_core.errors import RunError

#: Imported by the server, which finds in this variable what it is asked to import (see there).
PRELOAD, REQUEST = "pbt_core.engines.preload", "PBT_PRELOAD"
#: What of multiprocessing's preparation of a process makes it able to import what this one has.
_PREPARATION = ("sys_path", "sys_argv", "orig_dir", "dir", "init_main_from_name", "init_main_from_path")
#: Says what pytest is at, and changes with every test.
_OF_PYTEST = "PYTEST_CURRENT_TEST"

_lock = threading.RLock()


class ForkServer:
    """A server, started with the first of its workers; ``users``: how many runs start workers from it."""

    def __init__(self, modules: Sequence[str]) -> None:
        self.users = 0
        self._modules, self._process = list(modules), os.getpid()
        self._environment, self._files = _environment(), _files(list(sys.modules))
        self._server: Any = forkserver.ForkServer()
        self._server.set_forkserver_preload([PRELOAD])

    @property
    def current(self) -> bool:
        """Whether one that was started now would be the same to its workers."""
        same = self._process == os.getpid() and self._environment == _environment()
        return same and self._files == _files(self._files)

    def start(self, worker: BaseProcess) -> None:
        """Start a process from here. RunError, in one line, if it cannot be started."""
        with _lock, _main_is_a_file():
            ours, theirs = self._server.connect_to_new_process, forkserver.connect_to_new_process
            try:
                self._ensure_running()
                forkserver.connect_to_new_process = ours
                worker.start()
            except (EOFError, ConnectionError):
                raise RunError("workers cannot be started: the process that they are forks of has died") from None
            except AssertionError as error:
                remedy = "use concurrent.futures instead of multiprocessing.Pool, or the serial engine in it"
                raise RunError(f"workers cannot be started: {error}; {remedy}") from None
            except OSError as error:
                if "AF_UNIX" not in str(error):
                    raise
                folder = tempfile.gettempdir()
                rule = "must be shorter, since a socket is made in it"
                raise RunError(f"workers cannot be started: {error}: TMPDIR = {folder!r} {rule}") from None
            finally:
                forkserver.connect_to_new_process = theirs

    def stop(self) -> None:
        """Let it end, once no worker is left."""
        alive = self._server._forkserver_alive_fd
        if self._process == os.getpid() and alive is not None:
            os.close(alive)
            _ending.append(self._server._forkserver_pid)

    def _ensure_running(self) -> None:
        """Start the server, or start it again if it was killed."""
        prepared = {key: value for key, value in spawn.get_preparation_data("").items() if key in _PREPARATION}
        request = {"preparation": prepared, "modules": self._modules}
        # Python 3.11 and 3.12 do not give the server our sys.path, without which it would not find this package.
        paths = os.pathsep.join(str(path) or str(Path.cwd()) for path in sys.path)
        given = {"PYTHONPATH": paths, REQUEST: json.dumps(request, default=str)}
        before = {name: os.environ.get(name) for name in given}
        os.environ.update(given)
        try:
            self._server.ensure_running()
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


_kept: ForkServer | None = None
#: Servers that were let end, by process, until they have.
_ending: list[int] = []


@contextlib.contextmanager
def fork_server(modules: Sequence[str]) -> Iterator[ForkServer]:
    """A server for a run; ``modules`` are imported in a new one, beside the calling script."""
    global _kept
    with _lock:
        _reap()
        if _kept is None or not _kept.current:
            if _kept is not None and not _kept.users:
                _kept.stop()
            _kept = ForkServer(modules)
        server = _kept
        server.users += 1
    try:
        yield server
    finally:
        with _lock:
            server.users -= 1
            if server is not _kept and not server.users:
                server.stop()


def _reap() -> None:
    for server in list(_ending):
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(server, os.WNOHANG)[0] == 0:
                continue
        _ending.remove(server)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != _OF_PYTEST}


def _files(modules: Iterable[str]) -> dict[str, tuple[str, int, int] | None]:
    """Where these modules are read from, when each file was last written, and its size; None where there is no file."""
    return {name: _file(sys.modules.get(name)) for name in modules}


def _file(module: Any) -> tuple[str, int, int] | None:
    path = getattr(module, "__file__", None)
    if not isinstance(path, str):
        return None
    try:
        state = os.stat(path)  # noqa: PTH116 - of every module that there is: Path would take three times as long
    except OSError:
        return None
    return path, state.st_mtime_ns, state.st_size


@contextlib.contextmanager
def _main_is_a_file() -> Iterator[None]:
    """Hide the name of a script that is no file, such as ``<stdin>``: multiprocessing would have workers read it."""
    main = sys.modules["__main__"]
    path = getattr(main, "__file__", None)
    if path is None or Path(process.ORIGINAL_DIR or "", path).is_file():  # type: ignore[attr-defined]
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = path
