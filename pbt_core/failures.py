"""What a run says, by ``logging``, of intervals that failed and of workers that died: a search goes on without them."""

from __future__ import annotations

import logging
import re
import signal
from collections import Counter
from pathlib import Path

from pbt_core.errors import RunError
from pbt_core.values import brief
from pbt_core.work import Done, Failed, Work

log = logging.getLogger("pbt_core")

#: The exit code of a process of which no more is known than that it is gone.
UNKNOWN = 255
#: Errors that differ in their numbers only are one and the same.
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", re.IGNORECASE)
#: So many different errors are told one by one, and counted at the end.
MOST_TOLD = 10
#: How many different errors the last line names.
NAMED = 3


def could_not_go_on(work: Work, error: Exception) -> RunError:
    """Why the run ends where an interval could not be carried out, which is no fault of its member."""
    return RunError(f"a worker could not go on with member {work.member}: {brief(f'{type(error).__name__}: {error}')}")


class Failures:
    """Counts the intervals and the lost workers of one session; tells each kind when it is first met, and all at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._intervals = 0
        self._failed: Counter[str] = Counter()
        self._first: dict[str, str] = {}  # the text of each kind of error, as it was first met
        self._lost: Counter[int | None] = Counter()

    def took(self, outcome: Done | Failed) -> None:
        """An interval ended, well or not."""
        self._intervals += 1
        if not isinstance(outcome, Failed):
            return
        kind = f"{outcome.kind}: {_NUMBER.sub('#', outcome.error)}"
        self._failed[kind] += 1
        if kind not in self._first:
            self._first[kind] = brief(outcome.error)
            if len(self._first) <= MOST_TOLD:
                work = outcome.work
                log.warning(
                    "%s: member %d failed in the interval from step %d to %d: %s",
                    *(self.directory, work.member, work.start, work.stop, self._first[kind]),
                )

    def lost(self, work: Work, exit_reason: int | None) -> None:
        """A worker died in an interval, which is done again."""
        self._lost[exit_reason] += 1
        if self._lost[exit_reason] == 1:
            log.warning(
                "%s: a worker died (%s) while it trained member %d from step %d to %d: that interval is done again",
                *(self.directory, ending(exit_reason), work.member, work.start, work.stop),
            )

    def summary(self) -> None:
        """One line on all intervals that failed, one on all workers that died; nothing if all went well."""
        if self._failed:
            most = self._failed.most_common(NAMED)
            named = "; ".join(f"{_times(count)} {self._first[kind]}" for kind, count in most)
            others = len(self._failed) - len(most)
            more = f" (and {others} other errors)" if others else ""
            total = sum(self._failed.values())
            log.warning("%s: %d of %d intervals failed: %s%s", self.directory, total, self._intervals, named, more)
        if self._lost:
            named = "; ".join(f"{_times(count)} {ending(reason)}" for reason, count in self._lost.most_common())
            total = sum(self._lost.values())
            workers = "1 worker" if total == 1 else f"{total} workers"
            log.warning("%s: %s died in an interval: %s", self.directory, workers, named)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def ending(exit_reason: int | None) -> str:
    """How a process ended, in words: its exit code, or the signal that killed it."""
    if exit_reason is None or exit_reason >= 0:
        return "for an unknown reason" if exit_reason in (None, UNKNOWN) else f"exit code {exit_reason}"
    if exit_reason == -signal.SIGKILL:
        return "killed by SIGKILL, as where memory runs short"
    try:
        return f"killed by {signal.Signals(-exit_reason).name}"
    except ValueError:
        return f"killed by signal {-exit_reason}"
