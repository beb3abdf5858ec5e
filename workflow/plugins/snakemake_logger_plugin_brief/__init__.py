"""Snakemake's log, reduced to what somebody waits for: jobs done, time left, and what went wrong.

`make demo` uses it: ``PYTHONPATH=workflow/plugins snakemake demo --logger brief``. What jobs print themselves is not concerned,
and Snakemake's whole log is in ``.snakemake/log`` all the same.
"""

from __future__ import annotations

import logging
import sys
import time

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent


class LogHandler(LogHandlerBase):
    """One line, written over on a terminal, for each job that is done; warnings and errors as Snakemake words them."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = False
    has_formatter = False
    needs_rulegraph = False

    def __post_init__(self) -> None:
        self._begun = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) == LogEvent.PROGRESS:
            self._write(
                progress(record.done, record.total, time.monotonic() - self._begun), over=record.done < record.total
            )
        elif record.levelno >= logging.WARNING:
            self._write(self.format(record))

    def _write(self, line: str, over: bool = False) -> None:
        terminal = sys.stderr.isatty()
        begin, end = ("\r\033[K" if terminal else "", "" if terminal and over else "\n")
        print(f"{begin}{line}", end=end, file=sys.stderr, flush=True)


def progress(done: int, total: int, seconds: float) -> str:
    """Time left as if the other jobs took as long as those that are done."""
    if not done or done == total:
        return f"{done} of {total} jobs done"
    minutes, rest = divmod(round(seconds / done * (total - done)), 60)
    return f"{done} of {total} jobs done, about {minutes}:{rest:02} left"
