"""The end of a run of leased workers: the log becomes the record that any other engine leaves."""

from __future__ import annotations

import bisect
import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from pbt_core.files import write_whole
from pbt_core.leases.log import LOG, WORKERS, Entry, SharedLog
from pbt_core.ledger import Ledger
from pbt_core.schema import START, dump, line
from pbt_core.store import Store


def close_the_run(directory: Path, entries: int, ledger: Ledger, store: Store) -> None:
    """Leave the record, the times and the checkpoints that are needed. Any worker may, or several at once.

    entries: how many the log of this finished run has.
    """
    log = SharedLog(directory / LOG)
    whole = [entry for _, entry in log.read()]
    if len(whole) < entries:
        return  # another worker has done it, and the log is gone
    write_whole(directory / "timing.jsonl", "".join(_timing(whole)))
    write_whole(directory / "events.jsonl", b"".join(_lines(whole)))
    store.keep(ledger.references())
    with contextlib.suppress(OSError):
        # Under another name first, so that nobody ever reads a half of it.
        away = log.folder.rename(log.folder.with_name(f"{LOG}.{uuid.uuid4().hex}"))
        shutil.rmtree(away, ignore_errors=True)
        shutil.rmtree(directory / WORKERS, ignore_errors=True)


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
