"""The end of a run of leased workers: the log becomes the record that any other engine leaves."""

from __future__ import annotations

import bisect
import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pbt_core.leases.folder import Folder
from pbt_core.leases.log import LOG, WORKERS, Entry, SharedLog, begun
from pbt_core.ledger import Ledger
from pbt_core.schema import START, RecordError, dump, line
from pbt_core.store import Store

#: Files of a run that are written at its end.
RECORD, TIMING = "events.jsonl", "timing.jsonl"


def close_the_run(folder: Folder, log: SharedLog, ledger: Ledger, store: Store) -> None:
    """Leave the record, the times and the checkpoints that are needed. Any worker may, or several at once.

    folder: that of the run. log: of this finished run. Gone if another worker has done it. A worker that slept meanwhile, for
    as long as it may be, undoes nothing: a record that is there stays, and only what was there before it is removed.
    """
    whole = [entry for _, entry in log.again().read()]
    record = b"".join(_lines(whole))
    needless = store.all_but(ledger.references())
    for name, content in ((TIMING, "".join(_timing(whole)).encode()), (RECORD, record)):
        log.must_be_there()
        made = folder.publish(name, content)
    if not made and folder.read(RECORD) != record:
        log.must_be_there()  # else the run is closed, and was extended since
        raise RecordError(f"{folder.path / RECORD} is not the record of the run in {log.folder}: move one of them away")
    for path in needless:
        path.unlink(missing_ok=True)
    log.must_be_there()
    away = f"{LOG}.{uuid.uuid4().hex}"
    with contextlib.suppress(OSError):  # another worker was quicker
        folder.move(LOG, away)  # under another name first, so that nobody takes a half of it for the whole
        shutil.rmtree(folder.path / away, ignore_errors=True)


def remove_what_is_left(directory: Path) -> None:
    """What workers that ended late, or were killed at the end, have left in the folder of a run that is closed."""
    if begun(directory):
        return
    with contextlib.suppress(OSError):
        (directory / LOG).rmdir()  # an empty one: of a worker that came after the end
    for away in (directory / WORKERS, *directory.glob(f"{LOG}.{'[0-9a-f]' * 32}")):
        shutil.rmtree(away, ignore_errors=True)


def _lines(entries: list[Entry]) -> Iterator[bytes]:
    """The lines of ``events.jsonl``."""
    chain = START
    for entry in entries:
        for event in entry.events:
            text, chain = line(event, chain)
            yield text


def _timing(entries: list[Entry]) -> Iterator[str]:
    """The lines of ``timing.jsonl``: one session, whose clock is the seconds in which any worker trained.

    What workers did side by side counts once, and what passed while none was there does not. ``at`` is by each worker's own
    clock: where they differ, the seconds are too many, at most those of all workers together.
    """
    passed = _Passed()
    for entry in entries:
        for event in entry.events:
            if event["event"] == "evaluated" and entry.timing:
                lasted = sum(entry.timing.get(part, 0.0) for part in ("train_s", "evaluate_s", "save_s"))
                passed.add(entry.timing["at"] - lasted, entry.timing["at"])
                row = {"session": 0, "clock": round(passed.seconds, 3)}
                where = {"worker": entry.worker, "member": event["member"], "step": event["step"]}
                yield f"{dump({**row, **where, **entry.timing})}\n"


class _Passed:
    """How much of a time line is covered by intervals: ``seconds``."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._ends: list[tuple[float, float]] = []  # apart from each other, in order

    def add(self, begin: float, end: float) -> None:
        """Cover from ``begin`` to ``end``."""
        first = bisect.bisect_left(self._ends, begin, key=lambda covered: covered[1])
        last = bisect.bisect_right(self._ends, end, key=lambda covered: covered[0])
        joined = self._ends[first:last]
        begin, end = min([begin, *(b for b, _ in joined)]), max([end, *(e for _, e in joined)])
        self.seconds += end - begin - sum(e - b for b, e in joined)
        self._ends[first:last] = [(begin, end)]
