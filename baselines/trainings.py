"""What methods share that train again and again from fresh weights: when a training is over, and how those so far went."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbt_core.population import Evaluation, Member


def check_trial(method: str, trial: int) -> None:
    """ValueError unless ``trial``, the steps of one full training, is at least 1."""
    if trial < 1:
        raise ValueError(f"{method}: trial = {trial!r} must be at least 1 step")


def is_over(member: Member, trial: int) -> bool:
    """Whether the member's weights have been trained for ``trial`` steps, or were lost: its slot is free."""
    return member.failed or member.age >= trial


def ended(evaluations: Sequence[Evaluation], trial: int) -> list[Evaluation]:
    """The last evaluation of every full training so far, oldest first, whatever its score."""
    return [evaluation for evaluation in evaluations if evaluation.age >= trial]


def scores(evaluations: Sequence[Evaluation]) -> list[float]:
    """The score of each evaluation; one that is not finite counts as the worst finite one (empty: there is none).

    A diverged training is a result: who leaves it out, as libraries do with failed trials, knows nothing of the region
    that it came from and proposes it again.
    """
    finite = [evaluation.score for evaluation in evaluations if math.isfinite(evaluation.score)]
    if not finite:
        return []
    return [e.score if math.isfinite(e.score) else min(finite) for e in evaluations]
