"""Signs of life: every worker has a file that grows while it lives, and watches those of the others.

A worker counts as lost when its file has not grown for the length of a lease, as the watcher's own clock counts it. Clocks
of different machines are never compared, and time in which the watcher itself was paused does not count.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from pbt_core.files import make_folder, opened

#: Signs of life in the length of a lease.
BEATS = 6


def at_work(folder: Path, lease: float) -> bool:
    """Whether a worker has given a sign of life within ``lease`` seconds, for whoever cannot wait and watch for as long.

    By the clock that dates the files in ``folder``, which is that of a file made there now, whatever this machine's says.
    """
    if not folder.is_dir():
        return False
    workers, probe = list(folder.iterdir()), folder / f".{uuid.uuid4().hex}.tmp"
    probe.touch()
    try:
        now = probe.stat().st_mtime
    finally:
        probe.unlink()
    signs = [now - path.stat().st_mtime for path in workers if path.exists()]
    return any(silent <= lease for silent in signs)


class Heartbeat:
    """Gives signs of life from a thread while the block lasts, and says who has ``lapsed``.

    folder: where all workers' files are. lease: seconds. clock: seconds, by any clock of this process.
    """

    def __init__(
        self,
        folder: Path,
        worker: str,
        lease: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder, self.worker, self.lease, self._clock = folder, worker, lease, clock
        self._seen: dict[str, tuple[int, float]] = {}  # by worker: the size of its file, seconds since that changed
        self._looked = clock()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Heartbeat:
        make_folder(self.folder)
        self.beat()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        with contextlib.suppress(OSError):  # so that nobody takes it for one that is at work
            (self.folder / self.worker).unlink()

    def lapsed(self, worker: str) -> bool:
        """Whether another worker gave no sign of life for the length of a lease."""
        _, silent = self._seen.setdefault(worker, (-1, 0.0))
        return worker != self.worker and silent > self.lease

    def beat(self) -> None:
        """Give a sign of life."""
        with contextlib.suppress(OSError), (self.folder / self.worker).open("ab") as file:
            file.write(b".")

    def look(self) -> None:
        """Look at the signs of the others."""
        now = self._clock()
        awake = min(now - self._looked, 2 * self.lease / BEATS)  # beyond this the watcher itself was paused
        self._looked = now
        for worker, (size, silent) in list(self._seen.items()):
            grown = self._size(worker)
            self._seen[worker] = (grown, 0.0) if grown != size else (size, silent + awake)

    def _size(self, worker: str) -> int:
        try:
            # Opened, and not only asked for its size: NFS promises what is new to those who open a file.
            with opened(self.folder / worker) as file:
                return os.fstat(file.fileno()).st_size
        except OSError:
            return -2

    def _run(self) -> None:
        while not self._end.wait(self.lease / BEATS):
            self.beat()
            self.look()
