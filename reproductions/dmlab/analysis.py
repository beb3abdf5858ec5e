"""The figures of first-person levels, from events, and the claims that are tested on them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.dmlab.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record

_claim = partial(Claim, domain="dmlab", experiment="dmlab")

CLAIMS = (
    _claim(
        text="PBT plays better than random search at equal compute",
        paper="93 % to 106 %, human-normalised",
        mark="medium",
        weights={"pbt": 1, "random_search": -1},
        unit="points",
    ),
    _claim(
        text="PBT plays better than hand-tuned settings at equal compute",
        paper="not measured in the paper",
        mark=None,
        weights={"pbt": 1, "hand_tuned": -1},
        unit="points",
    ),
    _claim(
        text="The unroll length grows along the lineages of the best members",
        paper="it does, in navigation",
        mark="recall",
        weights={"pbt": 1},
        column="trends.unroll",
        unit="rank correlation with steps",
    ),
    _claim(
        text="With auxiliary tasks PBT plays better than without",
        paper="UNREAL's own paper: they speed learning up on all levels",
        mark="medium",
        weights={"pbt": 1, "pbt (plain)": -1},
        unit="points",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.by_problem(records, partial(plotting.standard, measure=MEASURE))
