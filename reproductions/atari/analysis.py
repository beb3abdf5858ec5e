"""The figures of Atari games, from events."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.atari.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import DomainClaims
from reproductions.suite.results.records import Record

_FIRST, _LATER = "2026-11-23T23:57", "2026-11-26T05:15"
_of = DomainClaims("atari", "% human-normalised", margin_fixed=_LATER)

CLAIMS = (
    _of.beats(
        "random_search",
        "PBT plays better than random search at equal compute",
        _FIRST,
        ("147 % to 181 %", "medium"),
    ),
    _of.beats("random_schedules", "PBT plays better than random search over schedules at equal compute", _LATER),
    _of.beats("hand_tuned", "PBT plays better than hand-tuned settings at equal compute", _FIRST),
    _of.ablation("weights alone", _LATER),
    _of.ablation("both against weights", _LATER),
    _of.ablation("schedule alone", _LATER, "atari_replay"),
    _of.trend(
        "lr",
        "below",
        "The learning rate falls along the lineage of the best",
        ("schedules found resemble hand-made ones", "medium"),
        "2026-11-26T12:43",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE)
