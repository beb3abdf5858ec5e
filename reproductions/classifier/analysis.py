"""The classifier's figures, from events."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.classifier.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.domain_claims import DomainClaims
from reproductions.suite.results.records import Record

_FIRST, _SCHEDULES, _SUCCESSORS = "2026-11-23T23:34", "2026-11-26T05:15", "2026-11-26T09:19"
_SHARES = "2026-11-26T12:43"
_of = DomainClaims("classifier", "% accuracy", margin_fixed=_SCHEDULES)

#: The directions of the paper's ablations (section 4.4, figure 5), which it made on Atari and the GAN. No number of those
#: figures is known. Those of PBT's successors are of their own papers, as their abstracts have them.
CLAIMS = (
    _of.beats(
        "random_search",
        "PBT scores higher than random search at equal compute",
        _FIRST,
        ("so in every domain of the paper", "high"),
    ),
    _of.beats(
        "random_schedules",
        "PBT scores higher than random search over schedules at equal compute",
        _SCHEDULES,
    ),
    _of.beats(
        "hand_tuned",
        "PBT scores higher than hand-tuned schedules at equal compute",
        _FIRST,
        ("so in every domain of the paper", "medium"),
    ),
    _of.claim(
        "A population of 10 is worse than one of 20",
        ("10 or fewer are noisy and poor", "medium"),
        {"pbt": 1, "pbt (population-10)": -1},
        _FIRST,
        experiment="population_size",
        budgets_differ=True,
    ),
    _of.claim(
        "A population of 10 is noisier over seeds than one of 20",
        ("10 or fewer are noisy and poor", "medium"),
        {"pbt (population-10)": 1, "pbt": -1},
        "2026-11-24T16:26",
        experiment="population_size",
        budgets_differ=True,
        column="spread",
    ),
    _of.claim(
        "20 to 40 members are enough: from 40 to 80 less is gained than from 10 to 40",
        ("20 to 40 are enough, more brings less and less", "medium"),
        {"pbt (population-40)": 2, "pbt (population-10)": -1, "pbt (population-80)": -1},
        _FIRST,
        experiment="population_size",
        budgets_differ=True,
    ),
    _of.ablation("truncation", _FIRST, "exploiters"),
    _of.ablation("both against weights", _FIRST, "copied"),
    _of.ablation("both against hyperparameters", _FIRST, "copied"),
    _of.ablation("weights alone", _SCHEDULES, "copied"),
    _of.ablation("schedule alone", _SCHEDULES, "adaptivity"),
    _of.ablation("weights beside the schedule", _SCHEDULES, "adaptivity"),
    _of.ablation("schedule against final values", _FIRST, "adaptivity"),
    _of.ablation("order of the schedule", _FIRST, "adaptivity"),
    _of.claim(
        "Multiple-frequencies PBT repairs PBT's greed: it scores higher than PBT at equal compute",
        ("Doulazmi et al. (2025): higher than PBT in the long run, in reinforcement learning", "high"),
        {"mf_pbt": 1, "pbt": -1},
        _SUCCESSORS,
        experiment="successors",
    ),
    _of.claim(
        "FIRE PBT repairs PBT's greed: it scores higher than PBT at equal compute",
        ("Dalibard and Jaderberg (2021): higher than PBT on ImageNet and in reinforcement learning", "high"),
        {"fire_pbt": 1, "pbt": -1},
        _SUCCESSORS,
        experiment="successors",
    ),
    _of.claim(
        "Multiple-frequencies PBT scores as high as hand-tuned schedules",
        ("not known to us", None),
        {"mf_pbt": 1, "hand_tuned": -1},
        _SUCCESSORS,
        experiment="successors",
        side="alike",
    ),
    _of.claim(
        "FIRE PBT scores as high as hand-tuned schedules",
        ("Dalibard and Jaderberg (2021): it matches a hand-tuned learning rate on ImageNet", "high"),
        {"fire_pbt": 1, "hand_tuned": -1},
        _SUCCESSORS,
        experiment="successors",
        side="alike",
    ),
    _of.claim(
        "From the final members, PBT going on is better than holding their hyperparameters",
        ("not clear: one source says that holding them helps", None),
        {"pbt (longer)": 1, "pbt (hold)": -1},
        _FIRST,
        experiment="continuing",
    ),
    _of.one_founder(_SHARES),
    _of.trend(
        "lr",
        "below",
        "The learning rate that PBT finds falls, as hand-made schedules do",
        ("schedules found resemble hand-made ones", "medium"),
        _SHARES,
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE)
