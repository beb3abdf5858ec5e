"""The journal of a run: it writes events to the file and into the ledger, and keeps checkpoints as long as they are needed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pbt_core.files import Handle, collector_paused, must_be_file, write_all
from pbt_core.ledger import Ledger
from pbt_core.schema import START, Event, RecordError, detached, dump, line, must_be_readable, read_lines
from pbt_core.store import Reference, Store

Observer = Callable[[Event], None]
"""Called with every event as it is recorded."""


def must_be_writable(path: Path) -> None:
    """RecordError, which says why, where no file can be written: for a folder, or a pipe."""
    try:
        must_be_file(path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from None


class AppendOnly:
    """A file that only grows, for one writer; survives a task in the same process that closes descriptors it does not own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = self._opened()

    def _opened(self) -> Handle:
        must_be_writable(self.path)
        return Handle(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def write(self, data: bytes, durable: bool = False) -> None:
        """Append ``data`` and hand it to the operating system, or to the disk if ``durable``."""
        if not self._handle.is_open():
            self._handle = self._opened()
        write_all(self._handle.number, data)
        if durable:
            os.fsync(self._handle.number)

    def cut(self, length: int) -> None:
        """Remove everything after ``length`` bytes."""
        os.truncate(self.path, length)

    def close(self) -> None:
        self._handle.close()


class Journal:
    """The record of a run and what must be kept for it. One writer.

    Opening it reads what is there into ``ledger`` and cuts a torn last line off. RecordError if that is no record.
    """

    def __init__(self, path: Path, store: Store, ledger: Ledger, observer: Observer | None = None) -> None:
        self.path, self.store, self.ledger, self.observer = path, store, ledger, observer
        self.header: Event | None = None
        self.last: Event | None = None
        #: The last failure of each member, for error messages.
        self.failures: dict[int, Event] = {}
        #: Every extension of the run, oldest first.
        self.extensions: list[Event] = []
        self._chain, end = START, 0
        # Checkpoints that are needed no more, by the member whose next one may take the file.
        self._spare: dict[int, Reference] = {}
        with collector_paused():
            for number, (event, chain, position) in enumerate(read_lines(path) if path.exists() else (), start=1):
                self._fold(event, number)
                self._chain, end = chain, position
                ledger.freed.clear()  # those files were removed, or will be when the run ends
        self._file = AppendOnly(path)
        if path.stat().st_size > end:
            self._file.cut(end)

    def _fold(self, event: Event, number: int | None = None) -> None:
        if number is not None and (number == 1) != (event["event"] == "started"):
            raise RecordError(f"{self.path}, line {number}: the first event, and no other, must be started")
        try:
            self.ledger.apply(event)
        except ValueError as error:
            place = "an event that is not written" if number is None else f"line {number}"
            raise RecordError(f"{self.path}, {place}: {error}") from None
        self.last = event
        if event["event"] == "started":
            self.header = event
        elif event["event"] == "failed":
            self.failures[event["member"]] = event
        elif event["event"] == "extended":
            self.extensions.append(event)

    def append(self, *events: Event) -> None:
        """Fold events, write them in one call, call the observer, and free checkpoints that are needed no more.

        RecordError, and nothing written, for an event that could not be read back, or cannot follow those before it: the run
        ends there, and goes on from its record.
        """
        if not events:
            return
        lines = []
        must_be_readable(events, self.path)
        for event in events:
            self._fold(event)
            text, self._chain = line(event, self._chain)
            lines.append(text)
        self._file.write(b"".join(lines), self.store.durable)
        for event in events:
            if self.observer is not None:
                self.observer(detached(event))
        if self.ledger.freed:
            self._free()

    def begin_again(self, ledger: Ledger) -> None:
        """Forget everything: for a run that was killed while it wrote its very first lines."""
        self._file.cut(0)
        self.ledger, self.header, self.last, self._chain = ledger, None, None, START

    def spare(self, member: int) -> Reference | None:
        """A checkpoint whose file the next one of ``member`` may take, if there is one."""
        return self._spare.pop(member, None)

    def keep_only_needed(self) -> None:
        """Remove every checkpoint that is needed no more; only while no process writes one."""
        self._spare.clear()
        self.store.keep(self.ledger.references())

    def close(self) -> None:
        self._file.close()

    def _free(self) -> None:
        last = self.last["member"] if self.last is not None and "member" in self.last else None
        for reference in self.ledger.freed:
            if self.ledger.holds(reference):  # freed and taken up again by one and the same event
                continue
            if last is not None and last not in self._spare:
                self._spare[last] = reference
            else:
                self.store.remove(reference)
        self.ledger.freed.clear()


#: How each line of ``timing.jsonl`` begins.
_CLOCK = re.compile(rb'\{"session":(\d{1,9}),"clock":(\d{1,12}(?:\.\d{1,6})?),')


class Timing:
    """``timing.jsonl`` beside the record: durations and lost workers, which no outcome depends on.

    Each line has ``session`` and ``clock``, the seconds since that session began, by a monotonic clock; ``at`` is the
    time in seconds since 1970. Lines that are torn, by a kill or a full disk, are passed over.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self._clock = path, clock
        before = sessions(path)
        self.elapsed_before = sum(before.values())
        self._session = 1 + max(before, default=-1)
        self._begun = clock()
        self._file = AppendOnly(path)
        torn = path.stat().st_size and not _ends_a_line(path)
        self._lines = ["\n"] if torn else []
        self._flushed = -1.0
        self.note(begins=True)

    @property
    def elapsed(self) -> float:
        """Wall-clock seconds of all sessions so far."""
        return self.elapsed_before + self._clock() - self._begun

    def note(self, **entry: Any) -> None:
        """Add a line. A kill may cost those of the last second; a full disk costs lines, not the run."""
        clock = self._clock() - self._begun
        self._lines.append(
            f"{dump({'session': self._session, 'clock': round(clock, 3), 'at': round(time.time(), 3), **entry})}\n"
        )
        if clock - self._flushed > 1:
            self._flush()
            self._flushed = clock

    def close(self) -> None:
        self.note(ends=True)
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        with contextlib.suppress(OSError):
            self._file.write("".join(self._lines).encode())
        self._lines.clear()


def read_timing(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a ``timing.jsonl``; others are passed over."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        for text in file:
            with contextlib.suppress(ValueError, RecursionError):
                row = json.loads(text)
                if isinstance(row, dict) and _is_whole(row.get("session")) and _is_seconds(row.get("clock")):
                    yield {key: value for key, value in row.items() if not _is_time(key) or _is_seconds(value)}


def sessions(path: Path) -> dict[int, float]:
    """Wall-clock seconds by session."""
    lasted: dict[int, float] = {}
    if path.is_file():
        with path.open("rb") as file:
            for match in filter(None, map(_CLOCK.match, file)):
                session, clock = int(match[1]), float(match[2])
                lasted[session] = max(lasted.get(session, 0.0), clock)
    return lasted


def _is_whole(value: Any) -> bool:
    return value.__class__ is int and value >= 0


def _is_time(key: str) -> bool:
    return key == "at" or key.endswith("_s")


def _is_seconds(value: Any) -> bool:
    return value.__class__ in (int, float) and 0 <= value < 1e12


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
