"""A log that many processes write together, on all machines that see its folder.

Each entry is a file named by its place. It is written under another name and published by one hard link, which fails where
the place is taken: whoever appends has read everything before its entry, and what is published never changes. So the order
is the same for all, and a worker that was paused for an hour can spoil nothing when it wakes up.

Asked of the file system: ``link`` is atomic and fails where the name exists (local ones and NFS do this), and a file that
was linked is seen whole. No clock is read and no lock is held.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pbt_core.leases.folder import Folder
from pbt_core.schema import START, Event, RecordError, check, decode, line, must_be_readable

#: Folders in that of the run: of the log, and of the workers' signs of life.
LOG, WORKERS = "log", "workers"


def begun(directory: Path) -> bool:
    """Whether a run of leased workers is under way in ``directory``: its log has an entry.

    An empty folder says nothing: a worker makes it before it looks, maybe after others have brought the run to its end.
    """
    return (directory / LOG / _name(0)).exists()


def lease_of(directory: Path) -> float | None:
    """Seconds of the lease of the run that is under way in ``directory``; None if there is none. RecordError as in ``read``."""
    return next((entry.lease for _, entry in SharedLog(directory / LOG).read()), None) if begun(directory) else None


def _name(place: int) -> str:
    return f"{place:010d}.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a worker did, at one place of the log.

    events: of the run's record, in their order.
    claims: the member whose next interval the worker takes on; the entry's place numbers the claim (a fencing number).
    ends: the number of a claim that ends here, with the interval's outcome among the events or given back without one.
    timing: seconds, by name, that the interval took.
    lease: of the first entry: seconds without a sign of life after which a worker's claims are free.
    """

    worker: str
    events: tuple[Event, ...] = ()
    claims: int | None = None
    ends: int | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    lease: float | None = None


class SharedLog:
    """The log in ``folder``, read up to some place. ``append`` publishes an entry at the next one.

    It is the folder that stands there now: Gone, by whatever is done with it, once that was removed or moved away.
    """

    def __init__(self, folder: Path | Folder, durable: bool = False) -> None:
        self._files = folder if isinstance(folder, Folder) else Folder(folder)
        self.folder, self.durable = self._files.path, durable
        self.place = 0
        self._chain = START

    def again(self) -> SharedLog:
        """The same log, of which nothing was read yet."""
        return SharedLog(self._files, self.durable)

    def must_be_there(self) -> None:
        """Gone unless it is the log that stands at its path."""
        self._files.must_be_there()

    def read(self) -> Iterator[tuple[int, Entry]]:
        """The entries that were not read yet, each with its place. RecordError for one that is altered."""
        while (text := self._files.read(name := _name(self.place))) is not None:
            entry, self._chain = _parsed(self.folder / name, text, self._chain)
            self.place += 1
            yield self.place - 1, entry

    def must_be_whole(self) -> None:
        """RecordError if there are entries beyond the one that would come next: each is published after those before it."""
        following = self.folder / _name(self.place)
        later = [path.name for path in self.folder.glob("*.json") if path.name > following.name]
        if later and not following.exists():  # which may have come between two looks
            self.must_be_there()
            raise RecordError(f"{following} is missing, and {max(later)} is there")

    def append(self, entry: Entry) -> bool:
        """Publish ``entry`` at the place after the last that was read; False, and nothing done, if that is taken.

        RecordError, and nothing published, if it holds an event that could not be read back.
        """
        must_be_readable(entry.events, self.folder)
        text, chain = line(_as_json(entry), self._chain)
        if not self._files.publish(_name(self.place), text, self.durable):
            return False
        self.place, self._chain = self.place + 1, chain
        return True


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "worker": entry.worker,
        "claims": entry.claims,
        "ends": entry.ends,
        "timing": dict(entry.timing),
        "lease": entry.lease,
        "events": list(entry.events),
    }


def _parsed(path: Path, text: bytes, chain: str) -> tuple[Entry, str]:
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("an entry must be an object")
        data.pop("chain", None)
        written, after = line(data, chain)
        if written != text:
            raise ValueError(
                "the checksum is not that of the log so far: it or an entry before it is altered or missing"
            )
        events = tuple(decode(event) for event in data["events"])
        for event in events:
            check(event)
        return Entry(**{**data, "events": events}), after
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordError(f"{path}: {error}") from None
