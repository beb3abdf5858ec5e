"""Figures of what the answers of runs made themselves (``DomainTask.illustrate``), such as samples or an episode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.figure import Figure

from reproductions.suite.figures.look import Figures
from reproductions.suite.results.records import Record


def illustrations(records: Sequence[Record], **makers: Callable[[Sequence[Record]], Figure]) -> Figures:
    """Figures by name, each drawn from the runs of the first seed that have an answer to show; none where no run has one."""
    first = min((record.seed for record in records), default=None)
    shown = [record for record in records if record.seed == first and record.summary["final"]]
    return {name: partial(make, shown) for name, make in makers.items()} if shown else {}
