"""The figures of Atari games, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.atari.sweep import MEASURE
from reproductions.figures import plotting
from reproductions.figures.plotting import Figures
from reproductions.records import Record


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    of_each_game = plotting.by_problem(records, partial(plotting.standard, measure=MEASURE))
    return {**plotting.across_problems(records, MEASURE), **of_each_game}
