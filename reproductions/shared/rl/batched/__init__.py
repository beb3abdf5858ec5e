"""The population form of the actor-critic: members whose rollouts are equally long are trained as one program.

Each member needs environments of its own (``ActorCriticTask.own_environments``), and an agent that torch can map over its
weights. Where one of these is missing that is said once, in one line, and members are trained one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache

from reproductions.shared.rl.batched.obstacles import obstacle
from reproductions.shared.rl.batched.training import Interval, train_together
from reproductions.shared.rl.environments import Environments
from reproductions.shared.rl.learner import train

log = logging.getLogger(__name__)


def train_all(
    intervals: Sequence[Interval],
    steps: int,
    shared: Callable[[], Environments],
    own: Callable[[int], Environments | None],
    *,
    clip_gradient: float,
) -> None:
    """``learner.train`` for each member, in place.

    shared, own: the environments that members use in turn, and those of each place in a program.
    """
    for alike in _programs(intervals, own):
        if len(alike) > 1:
            environments = [games for place in range(len(alike)) if (games := own(place)) is not None]
            train_together(alike, environments, steps, clip_gradient=clip_gradient)
            continue
        (one,) = alike
        train(one.learner, shared(), one.coefficients, steps, one.unroll, one.seed, clip_gradient=clip_gradient)


def _programs(intervals: Sequence[Interval], own: Callable[[int], Environments | None]) -> list[list[Interval]]:
    """The members of one program each. What keeps all of them apart is said."""
    by_unroll: dict[int, list[Interval]] = {}
    for interval in intervals:
        by_unroll.setdefault(interval.unroll, []).append(interval)
    if len(intervals) > 1 and (reason := _apart(intervals, len(by_unroll), own)) is not None:
        _say(f"members are trained one by one, not as one program: {reason}")
        return [[interval] for interval in intervals]
    return list(by_unroll.values())


def _apart(intervals: Sequence[Interval], unrolls: int, own: Callable[[int], Environments | None]) -> str | None:
    """Why no two of these can be one program; None if some can."""
    environments = own(0)
    if environments is None:
        return "there is one set of environments a process"
    if unrolls == len(intervals):
        return "no two of them have the same unroll"
    return obstacle(intervals, environments)


@cache
def _say(line: str) -> None:
    """Once a process."""
    log.warning(line)


__all__ = ["Interval", "train_all"]
