"""The figures of Atari games, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.atari.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record

_plays = partial(Claim, domain="atari", experiment="atari", unit="% human-normalised")

#: Tests, thresholds and seeds (``config/config.yaml``) were fixed before the runs.
CLAIMS = (
    _plays(
        text="PBT plays better than random search at equal compute",
        paper="147 % to 181 %",
        mark="medium",
        weights={"pbt": 1, "random_search": -1},
    ),
    _plays(
        text="PBT plays better than random search over schedules at equal compute",
        paper="not measured in the paper",
        mark=None,
        weights={"pbt": 1, "random_schedules": -1},
    ),
    _plays(
        text="PBT plays better than hand-tuned settings at equal compute",
        paper="not measured in the paper",
        mark=None,
        weights={"pbt": 1, "hand_tuned": -1},
    ),
    _plays(
        text="Copied weights alone, hyperparameters fixed, bring more than random search",
        paper="copying only weights helps a little",
        mark="medium",
        weights={"weights_only": 1, "random_search": -1},
    ),
    _plays(
        text="Copying weights and hyperparameters is better than weights alone",
        paper="both is best",
        mark="medium",
        weights={"pbt": 1, "weights_only": -1},
    ),
    _plays(
        text="The schedule alone, trained anew, brings more than random search",
        paper="not measured in the paper",
        mark=None,
        experiment="atari_replay",
        weights={"replay": 1, "random_search": -1},
    ),
    _plays(
        text="The learning rate falls along the lineage of the best",
        paper="schedules found resemble hand-made ones",
        mark="medium",
        weights={"pbt": 1},
        column="trends.lr",
        statistic="share",
        unit="rank correlation with steps",
        side="below",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE)
