"""DeepMind Lab in a process of its own, a fresh one whenever episodes begin: only there does a seed name an episode.

A second reset with the same seed in one process is another episode. So whoever begins anew begins in a new process, and
on the levels that ``EXACT`` names (``levels_of_the_paper``) an interval is the same whichever worker runs it, and when.
The process may end at any time (a map that is missing makes DeepMind Lab call ``exit``): then the call fails with one
line, and the next ``begin`` starts another. It ends with its driver, however that dies, and removes its temporary files.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from reproductions.dmlab.lab import ACTION_SETS, DeepMindLab, settings
from reproductions.dmlab.levels_of_the_paper import script
from reproductions.dmlab.scratch import Scratch
from reproductions.dmlab.spaces import pixels
from reproductions.shared.rl.environments import Discrete

#: What begins a message: to the process, what is asked for; from it, whether it went well.
_BEGIN, _STEP, _DONE, _FAILED = b"b", b"s", b"+", b"-"
#: Seconds between two looks at whether the driver is still there, and that a process gets to clear up before it is killed.
_ORPHANED, _PATIENCE = 5.0, 20.0


class LabProcess:
    """``DeepMindLab`` elsewhere, with the same arguments; see ``reproductions.shared.rl.environments`` (``Environments``).

    Nothing is started before ``begin``. ValueError for what is known to be refused, ModuleNotFoundError without DeepMind Lab;
    ``begin`` and ``step`` raise RuntimeError if DeepMind Lab refuses something, or ends.
    """

    def __init__(
        self, level: str, batch: int, size: int, folder: Path, level_cache: Path | None = None, actions: int = 9
    ) -> None:
        if actions not in ACTION_SETS:
            raise ValueError(f"actions = {actions} must be one of {', '.join(map(str, ACTION_SETS))}")
        script(level), settings(level, size, None)
        if importlib.util.find_spec("deepmind_lab") is None:
            raise ModuleNotFoundError("No module named 'deepmind_lab'", name="deepmind_lab")
        self.level, self.batch, self.size = level, batch, size
        self.observations = pixels(size, size)
        self.actions = Discrete(len(ACTION_SETS[actions]))
        cache = None if level_cache is None else str(level_cache.resolve())
        self._folder, self._arguments = folder, [level, batch, size, cache, actions]
        self._frames = np.zeros((batch, 3, size, size), np.uint8)
        self._running: _Running | None = None
        atexit.register(self.close)

    def begin(self, seed: int) -> None:
        """New episodes in all environments, in a new process; every later episode follows from ``seed`` too."""
        self.close()
        self._running = _Running(self._folder, self._arguments)
        self._see(self._running.ask(_BEGIN + str(seed).encode()))

    def observe(self) -> dict[str, NDArray[Any]]:
        """``pixels``, uint8 [batch, 3, size, size]; valid until the next step."""
        return {"pixels": self._frames}

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Hold each action for four frames: rewards, float64 [batch], and whether episodes ended, bool [batch]."""
        if self._running is None:
            raise RuntimeError("no episode has begun")
        answer = self._running.ask(_STEP + np.asarray(actions, np.int64).tobytes())
        rewards = np.frombuffer(answer, np.float64, self.batch)
        ended = np.frombuffer(answer, np.bool_, self.batch, rewards.nbytes)
        self._see(answer[rewards.nbytes + ended.nbytes :])
        return rewards.copy(), ended.copy()

    def close(self) -> None:
        """End the process; ``begin`` would start another."""
        if self._running is not None:
            self._running.close()
            self._running = None

    def _see(self, answer: bytes) -> None:
        self._frames[:] = np.frombuffer(answer, np.uint8).reshape(self._frames.shape)


class _Running:
    """A process, and what it says: its output goes to a file without a name, of which an error tells the last line."""

    def __init__(self, folder: Path, arguments: list[Any]) -> None:
        self._level = arguments[0]
        # Of the driver, which can remove it whatever way the process has ended.
        self._scratch = Scratch(folder)
        self._output: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the process)
        self._connection, theirs = Pipe()
        # Members share cores, so each draws with one thread.
        environment = {"LP_NUM_THREADS": "0", **os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        request = json.dumps([str(self._scratch.path / "labs"), *arguments])
        command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(os.getpid()), request]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=[theirs.fileno()],
            )

    def ask(self, request: bytes) -> bytes:
        """The answer; RuntimeError if it is an error, or if there is none because the process has ended."""
        try:
            self._connection.send_bytes(request)
            answer = self._connection.recv_bytes()
        except (EOFError, OSError):
            raise RuntimeError(f"level = {self._level!r} cannot be played: {self._end()}") from None
        if answer[:1] == _FAILED:
            raise RuntimeError(f"level = {self._level!r} cannot be played: {answer[1:].decode()}")
        return answer[1:]

    def close(self) -> None:
        """Let it clear up, and remove what it could not."""
        self._wait()
        self._output.close()
        self._scratch.close()

    def _wait(self) -> int:
        """It sees that nobody will ask any more, and ends."""
        self._connection.close()
        try:
            return self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _end(self) -> str:
        """How the process ended, and the last that it said."""
        code = self._wait()
        self._output.seek(0)
        said = self._output.read().decode(errors="replace").strip().splitlines()
        how = f"DeepMind Lab ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        return f"{how}: {said[-1]}" if said else how


def check(level: str, size: int, folder: Path) -> None:
    """ValueError unless DeepMind Lab can begin an episode of the level."""
    environments = LabProcess(level, 1, size, folder)
    try:
        environments.begin(1)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    finally:
        environments.close()


def serve(connection: Connection, driver: int, make: Any) -> None:
    """Answer until the driver is gone. make: gives the environments, at the first request."""
    environments: DeepMindLab | None = None
    with contextlib.ExitStack() as opened:
        while True:
            while not connection.poll(_ORPHANED):
                if os.getppid() != driver:
                    return
            try:
                request = connection.recv_bytes()
            except (EOFError, OSError):
                return
            try:
                if environments is None:
                    environments = opened.enter_context(contextlib.closing(make()))
                answer = _DONE + _answer(environments, request)
            except Exception as error:
                answer = _FAILED + f"{type(error).__name__}: {error}".encode()
            try:
                connection.send_bytes(answer)
            except OSError:
                return


def _answer(environments: DeepMindLab, request: bytes) -> bytes:
    if request[:1] == _BEGIN:
        environments.begin(int(request[1:]))
        done: tuple[NDArray[Any], ...] = ()
    else:
        done = environments.step(np.frombuffer(request[1:], np.int64))
    return b"".join(array.tobytes() for array in (*done, environments.observe()["pixels"]))


def main() -> None:
    """``python -m reproductions.dmlab.lab_process DESCRIPTOR DRIVER ARGUMENTS``."""
    descriptor, driver, arguments = sys.argv[1:]
    folder, level, batch, size, cache, actions = json.loads(arguments)

    def make() -> DeepMindLab:
        return DeepMindLab(level, batch, size, Path(folder), cache and Path(cache), actions)

    serve(Connection(int(descriptor)), int(driver), make)


if __name__ == "__main__":
    main()
