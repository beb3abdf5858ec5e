"""Shared by methods that train again and again from fresh weights: when a training is over, and the results so far."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pbt_core.population import Evaluation, Member


def check_training_steps(method: str, training_steps: int) -> None:
    """ValueError, naming the method, unless a full training has at least 1 step."""
    if training_steps < 1:
        raise ValueError(f"{method}: training_steps = {training_steps!r} must be at least 1 step")


def is_over(member: Member, training_steps: int) -> bool:
    """Whether the member's weights have been trained for ``training_steps``, or were lost: its slot is free."""
    return member.failed or member.age >= training_steps


def full_trainings(evaluations: Sequence[Evaluation], training_steps: int) -> list[Evaluation]:
    """The last evaluation of every full training so far, oldest first, whatever its score."""
    return [evaluation for evaluation in evaluations if evaluation.age >= training_steps]


def imputed_scores(evaluations: Sequence[Evaluation]) -> list[float]:
    """The score of each evaluation; one that is not finite counts as the worst finite one. Empty if none is finite.

    A diverged training is a result: a model that does not see it, as in libraries that leave out failed trials,
    knows nothing of its region and proposes it again.
    """
    finite = [evaluation.score for evaluation in evaluations if math.isfinite(evaluation.score)]
    if not finite:
        return []
    return [e.score if math.isfinite(e.score) else min(finite) for e in evaluations]
