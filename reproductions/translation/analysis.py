"""The figures of translation, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions import plotting
from reproductions.plotting import Figures
from reproductions.records import Record
from reproductions.translation.sweep import MEASURE


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.by_problem(records, partial(plotting.standard, measure=MEASURE))
