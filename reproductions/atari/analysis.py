"""The figures of Atari games, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.atari.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record

CLAIMS = (
    Claim(
        text="PBT plays better than random search at equal compute",
        paper="147 % to 181 %",
        mark="medium",
        domain="atari",
        experiment="atari",
        weights={"pbt": 1, "random_search": -1},
        unit="% human-normalised",
    ),
    Claim(
        text="PBT plays better than hand-tuned settings at equal compute",
        paper="not measured in the paper",
        mark=None,
        domain="atari",
        experiment="atari",
        weights={"pbt": 1, "hand_tuned": -1},
        unit="% human-normalised",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    of_each_game = plotting.by_problem(records, partial(plotting.standard, measure=MEASURE))
    return {**plotting.across_problems(records, MEASURE), **of_each_game}
