"""The figures of translation, from events."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record
from reproductions.translation.sweep import MEASURE

_translates = partial(Claim, domain="translation", experiment="translation", unit="BLEU")

#: Tests, thresholds and seeds (``config/config.yaml``) were fixed before the runs.
CLAIMS = (
    _translates(
        text="PBT translates better than random search at equal compute",
        paper="baseline 22.30 to PBT 22.65 BLEU",
        mark="medium",
        weights={"pbt": 1, "random_search": -1},
    ),
    _translates(
        text="PBT translates better than random search over schedules at equal compute",
        paper="not measured in the paper",
        mark=None,
        weights={"pbt": 1, "random_schedules": -1},
    ),
    _translates(
        text="PBT translates better than the tuned hand-made recipe at equal compute",
        paper="baseline 22.30 to PBT 22.65 BLEU",
        mark="medium",
        weights={"pbt": 1, "hand_tuned": -1},
    ),
    _translates(
        text="PBT translates better than the hand-set recipe",
        paper="recipe 21.23 to PBT 22.65 BLEU",
        mark="recall",
        weights={"pbt": 1, "hand_set": -1},
    ),
    _translates(
        text="Copied weights alone, hyperparameters fixed, bring more than random search",
        paper="copying only weights helps a little",
        mark="medium",
        weights={"weights_only": 1, "random_search": -1},
    ),
    _translates(
        text="Copying weights and hyperparameters is better than weights alone",
        paper="both is best",
        mark="medium",
        weights={"pbt": 1, "weights_only": -1},
    ),
    _translates(
        text="The schedule alone, trained anew, brings more than random search",
        paper="not measured in the paper",
        mark=None,
        experiment="translation_replay",
        weights={"replay": 1, "random_search": -1},
    ),
    _translates(
        text="The learning rate that PBT finds falls, as hand-made schedules do",
        paper="it jumps up, then falls about exponentially",
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
