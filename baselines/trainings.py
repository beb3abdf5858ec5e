"""Shared by methods that train again and again from fresh weights: when a training is over, and the results so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

from pbt_core.fields import at_least
from pbt_core.plan import Plan
from pbt_core.population import Evaluation, Member

#: Steps of one full training.
TrainingSteps = Annotated[int, at_least(1, "step")]


def one_training(method: object, training_steps: int, plan: Plan) -> str | None:
    """Why every slot trains once by this plan, and nothing is learnt from it; None if one begins anew before the end."""
    if plan.first_decision(ready=1, warmup=training_steps) is not None:
        return None
    return (
        f"{type(method).__name__}: no slot begins a second training with training_steps = {training_steps}, steps = "
        f"{plan.steps} and interval = {plan.interval}: this is random search"
    )


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
