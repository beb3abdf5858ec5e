"""The figures of translation, from events."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import DomainClaims
from reproductions.suite.results.records import Record
from reproductions.translation.sweep import MEASURE

_FIRST, _LATER = "2026-11-23T23:34", "2026-11-26T05:15"
_of = DomainClaims("translation", "BLEU", margin_fixed=_LATER)

CLAIMS = (
    _of.beats(
        "random_search",
        "PBT translates better than random search at equal compute",
        _FIRST,
        ("baseline 22.30 to PBT 22.65 BLEU", "medium"),
    ),
    _of.beats("random_schedules", "PBT translates better than random search over schedules at equal compute", _LATER),
    _of.beats(
        "hand_tuned",
        "PBT translates better than the tuned hand-made recipe at equal compute",
        _FIRST,
        ("baseline 22.30 to PBT 22.65 BLEU", "medium"),
    ),
    _of.beats(
        "hand_set",
        "PBT translates better than the hand-set recipe",
        _FIRST,
        ("recipe 21.23 to PBT 22.65 BLEU", "recall"),
    ),
    _of.ablation("weights alone", _LATER),
    _of.ablation("both against weights", _LATER),
    _of.ablation("schedule alone", _LATER, "translation_replay"),
    _of.trend(
        "lr",
        "below",
        "The learning rate that PBT finds falls, as hand-made schedules do",
        ("it jumps up, then falls about exponentially", "medium"),
        "2026-11-26T12:43",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE)
