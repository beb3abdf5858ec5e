"""The classifier's figures, from events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from reproductions.classifier.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record
from reproductions.suite.study.sweep import Mark


def _claim(
    text: str, paper: str, mark: Mark | None, experiment: str, weights: Mapping[str, float], **test: Any
) -> Claim:
    return Claim(text, paper, mark, "classifier", experiment, weights, **{"unit": "% accuracy", **test})


#: The directions of the paper's ablations (section 4.4, figure 5), which it made on Atari and the GAN. No number of those
#: figures is known. Those of PBT's successors are of their own papers, as their abstracts have them. Tests, thresholds and
#: seeds (``config/config.yaml``) were fixed before the runs.
CLAIMS = (
    _claim(
        "PBT scores higher than random search at equal compute",
        "so in every domain of the paper",
        "high",
        "classifier",
        {"pbt": 1, "random_search": -1},
    ),
    _claim(
        "PBT scores higher than random search over schedules at equal compute",
        "not measured in the paper",
        None,
        "classifier",
        {"pbt": 1, "random_schedules": -1},
    ),
    _claim(
        "PBT scores higher than hand-tuned schedules at equal compute",
        "so in every domain of the paper",
        "medium",
        "classifier",
        {"pbt": 1, "hand_tuned": -1},
    ),
    _claim(
        "A population of 10 is worse than one of 20",
        "10 or fewer are noisy and poor",
        "medium",
        "population_size",
        {"pbt": 1, "pbt (population-10)": -1},
    ),
    _claim(
        "A population of 10 is noisier over seeds than one of 20",
        "10 or fewer are noisy and poor",
        "medium",
        "population_size",
        {"pbt (population-10)": 1, "pbt": -1},
        column="spread",
    ),
    _claim(
        "20 to 40 members are enough: from 40 to 80 less is gained than from 10 to 40",
        "20 to 40 are enough, more brings less and less",
        "medium",
        "population_size",
        {"pbt (population-40)": 2, "pbt (population-10)": -1, "pbt (population-80)": -1},
    ),
    _claim(
        "Truncation selection is better than the mean of T-test and tournament",
        "truncation is the robust exploiter",
        "medium",
        "exploiters",
        {"pbt": 1, "pbt_t_test": -0.5, "pbt_tournament": -0.5},
    ),
    _claim(
        "Copying weights and hyperparameters is better than weights alone",
        "both is best",
        "medium",
        "copied",
        {"pbt": 1, "weights_only": -1},
    ),
    _claim(
        "Copying weights and hyperparameters is better than hyperparameters alone",
        "both is best",
        "medium",
        "copied",
        {"pbt": 1, "hyperparameters_only": -1},
    ),
    _claim(
        "Copied weights alone, hyperparameters fixed, bring more than random search",
        "copying only weights helps a little",
        "medium",
        "copied",
        {"weights_only": 1, "random_search": -1},
    ),
    _claim(
        "The schedule alone, trained anew, brings more than random search",
        "not measured in the paper",
        None,
        "adaptivity",
        {"replay": 1, "random_search": -1},
    ),
    _claim(
        "Beside the schedule the chosen weights count: PBT's own score higher than its schedule trained anew",
        "not measured in the paper",
        None,
        "adaptivity",
        {"pbt": 1, "replay": -1},
    ),
    _claim(
        "Training anew on the schedule found is better than with its last values held",
        "the last values held are worse than the schedule",
        "recall",
        "adaptivity",
        {"replay": 1, "replay (final)": -1},
    ),
    _claim(
        "The order of the schedule counts: shuffled, it is worse",
        "not measured in the paper",
        None,
        "adaptivity",
        {"replay": 1, "replay (shuffled)": -1},
    ),
    _claim(
        "Multiple-frequencies PBT repairs PBT's greed: it scores higher than PBT at equal compute",
        "Doulazmi et al. (2025): higher than PBT in the long run, in reinforcement learning",
        "high",
        "successors",
        {"mf_pbt": 1, "pbt": -1},
    ),
    _claim(
        "FIRE PBT repairs PBT's greed: it scores higher than PBT at equal compute",
        "Dalibard and Jaderberg (2021): higher than PBT on ImageNet and in reinforcement learning",
        "high",
        "successors",
        {"fire_pbt": 1, "pbt": -1},
    ),
    _claim(
        "Multiple-frequencies PBT scores as high as hand-tuned schedules",
        "not known to us",
        None,
        "successors",
        {"mf_pbt": 1, "hand_tuned": -1},
        side="alike",
    ),
    _claim(
        "FIRE PBT scores as high as hand-tuned schedules",
        "Dalibard and Jaderberg (2021): it matches a hand-tuned learning rate on ImageNet",
        "high",
        "successors",
        {"fire_pbt": 1, "hand_tuned": -1},
        side="alike",
    ),
    _claim(
        "From the final members, PBT going on is better than holding their hyperparameters",
        "not clear: one source says that holding them helps",
        None,
        "continuing",
        {"pbt (longer)": 1, "pbt (hold)": -1},
    ),
    _claim(
        "All final members descend from one initial member",
        "they do",
        "recall",
        "classifier",
        {"pbt": 1},
        column="founders",
        statistic="share",
        unit="founders",
        side="at most",
        threshold=1,
    ),
    _claim(
        "The learning rate that PBT finds falls, as hand-made schedules do",
        "schedules found resemble hand-made ones",
        "medium",
        "classifier",
        {"pbt": 1},
        column="trends.lr",
        statistic="share",
        unit="rank correlation with steps",
        side="below",
    ),
)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure of this domain."""
    return plotting.of_domain(records, MEASURE)
