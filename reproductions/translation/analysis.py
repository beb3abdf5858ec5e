"""The figures of translation, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record
from reproductions.translation.sweep import MEASURE

CLAIMS = (
    Claim(
        text="PBT translates better than random search at equal compute",
        paper="baseline 22.30 to PBT 22.65 BLEU",
        mark="medium",
        domain="translation",
        experiment="translation",
        weights={"pbt": 1, "random_search": -1},
        unit="BLEU",
    ),
    Claim(
        text="PBT translates better than the tuned hand-made recipe at equal compute",
        paper="baseline 22.30 to PBT 22.65 BLEU",
        mark="medium",
        domain="translation",
        experiment="translation",
        weights={"pbt": 1, "hand_tuned": -1},
        unit="BLEU",
    ),
    Claim(
        text="PBT translates better than the hand-set recipe",
        paper="recipe 21.23 to PBT 22.65 BLEU",
        mark="recall",
        domain="translation",
        experiment="translation",
        weights={"pbt": 1, "hand_set": -1},
        unit="BLEU",
    ),
    Claim(
        text="The learning rate that PBT finds falls, as hand-made schedules do",
        paper="it jumps up, then falls about exponentially",
        mark="medium",
        domain="translation",
        experiment="translation",
        weights={"pbt": 1},
        column="trends.lr",
        unit="rank correlation with steps",
        side="at most",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.by_problem(records, partial(plotting.standard, measure=MEASURE))
