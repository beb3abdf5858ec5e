"""Builders of the claims that domains share, so that a domain's ``analysis`` holds what is its own: text, paper, date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from reproductions.suite.results.claims import Claim
from reproductions.suite.study.sweep import Mark

Shared = Literal[
    "both against weights",
    "both against hyperparameters",
    "weights alone",
    "schedule alone",
    "weights beside the schedule",
    "schedule against final values",
    "order of the schedule",
    "truncation",
]
#: What the paper says, and how sure we are of it.
Paper = tuple[str, Mark | None]
#: What the paper does not have.
NOT_MEASURED: Paper = ("not measured in the paper", None)
#: The paper's ablations (section 4.4, figure 5) and what belongs to them, by a short name: text, the paper, weights.
ABLATIONS: Mapping[Shared, tuple[str, Paper, Mapping[str, float]]] = {
    "both against weights": (
        "Copying weights and hyperparameters is better than weights alone",
        ("both is best", "medium"),
        {"pbt": 1, "weights_only": -1},
    ),
    "both against hyperparameters": (
        "Copying weights and hyperparameters is better than hyperparameters alone",
        ("both is best", "medium"),
        {"pbt": 1, "hyperparameters_only": -1},
    ),
    "weights alone": (
        "Copied weights alone, hyperparameters fixed, bring more than random search",
        ("copying only weights helps a little", "medium"),
        {"weights_only": 1, "random_search": -1},
    ),
    "schedule alone": (
        "The schedule alone, trained anew, brings more than random search",
        NOT_MEASURED,
        {"replay": 1, "random_search": -1},
    ),
    "weights beside the schedule": (
        "Beside the schedule the chosen weights count: PBT's own score higher than its schedule trained anew",
        NOT_MEASURED,
        {"pbt": 1, "replay": -1},
    ),
    "schedule against final values": (
        "Training anew on the schedule found is better than with its last values held",
        ("the last values held are worse than the schedule", "recall"),
        {"replay": 1, "replay (final)": -1},
    ),
    "order of the schedule": (
        "The order of the schedule counts: shuffled, it is worse",
        NOT_MEASURED,
        {"replay": 1, "replay (shuffled)": -1},
    ),
    "truncation": (
        "Truncation selection is better than the mean of T-test and tournament",
        ("truncation is the robust exploiter", "medium"),
        {"pbt": 1, "pbt_t_test": -0.5, "pbt_tournament": -0.5},
    ),
}


@dataclass(frozen=True)
class DomainClaims:
    """The claims of one domain, made from what they share: the unit of its scores, and when its margin was fixed.

    ``fixed`` is when a claim's test was committed, as in ``Claim``.
    """

    domain: str
    unit: str
    margin_fixed: str

    def claim(self, text: str, paper: Paper, weights: Mapping[str, float], fixed: str, **test: Any) -> Claim:
        """Any claim; ``test`` has further fields of ``Claim``. The experiment is the domain's own unless given."""
        dates = {"fixed": fixed, "margin_fixed": self.margin_fixed}
        given = {"domain": self.domain, "experiment": self.domain, "unit": self.unit, **dates, **test}
        return Claim(text=text, paper=paper[0], mark=paper[1], weights=weights, **given)

    def beats(self, baseline: str, text: str, fixed: str, paper: Paper = NOT_MEASURED) -> Claim:
        """PBT reports a higher score than ``baseline`` at equal compute."""
        return self.claim(text, paper, {"pbt": 1, baseline: -1}, fixed)

    def ablation(self, name: Shared, fixed: str, experiment: str | None = None, paper: Paper | None = None) -> Claim:
        """One of ``ABLATIONS``, in the domain's own experiment unless another is given."""
        text, of_paper, weights = ABLATIONS[name]
        return self.claim(text, paper or of_paper, weights, fixed, experiment=experiment or self.domain)

    def trend(self, key: str, side: Literal["above", "below"], text: str, paper: Paper, fixed: str) -> Claim:
        """In most seeds a hyperparameter rises ("above" 0) or falls ("below") along the lineage of PBT's answer."""
        unit = "rank correlation with steps"
        return self.claim(
            text, paper, {"pbt": 1}, fixed, column=f"trends.{key}", statistic="share", unit=unit, side=side
        )

    def one_founder(self, fixed: str) -> Claim:
        """In most seeds all final members of PBT descend from the same initial member."""
        text = "All final members descend from one initial member"
        founders: dict[str, Any] = {"column": "founders", "unit": "founders", "side": "at most", "threshold": 1}
        return self.claim(text, ("they do", "recall"), {"pbt": 1}, fixed, statistic="share", **founders)
