"""Synchronous n-step actor-critic for several members at once, in lockstep, each in environments of its own.

What is computed for a member is what ``learner.train`` computes, from the same draws, up to rounding. Where rounding moves a
probability across a draw, an action differs, and from there on the member plays another game of the same law.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pbt_core import Stream
from reproductions.shared.rl.agent import Observations, Rollout
from reproductions.shared.rl.batched.agents import Agents
from reproductions.shared.rl.batched.trees import mapped
from reproductions.shared.rl.distributions import ActionTensors, Distribution
from reproductions.shared.rl.environments import Environments, Resumable
from reproductions.shared.rl.interaction import as_arrays
from reproductions.shared.rl.learner import Learner, resume, stacked
from reproductions.shared.stacked import Stacked, along_members


@dataclass(frozen=True)
class Interval:
    """An interval of one member, in the arguments of ``learner.train``."""

    learner: Learner
    coefficients: Mapping[str, float]
    unroll: int
    seed: Stream


def train_together(
    intervals: Sequence[Interval],
    environments: Sequence[Environments],
    steps: int,
    *,
    clip_gradient: float,
) -> None:
    """``learner.train`` for each of the members, in place, which have one unroll. environments: of each its own."""
    left, remainder = divmod(steps, environments[0].batch)
    if remainder:
        raise ValueError(f"steps = {steps} must be a multiple of the {environments[0].batch} environments")
    for interval, games in zip(intervals, environments, strict=True):
        resume(interval.learner, games, interval.seed.child("environments"))
    learners = [interval.learner for interval in intervals]
    device = learners[0].agent.device
    rngs = [torch.Generator(device).manual_seed(interval.seed.integer()) for interval in intervals]
    together = Stacked([learner.agent for learner in learners], [learner.optimizer for learner in learners])
    agents = Agents(learners[0].agent, together.weights)
    players = _Players(agents, learners, environments, rngs)
    names = intervals[0].coefficients
    weighed = {name: torch.tensor([each.coefficients[name] for each in intervals], device=device) for name in names}
    metrics: Mapping[str, Tensor] = {}
    while left:
        length = min(intervals[0].unroll, left)
        outputs, rollout = players.act(length)
        losses, metrics = agents.loss(outputs, players.ahead(), rollout, weighed)
        gradients = torch.autograd.grad(losses.sum(), list(together.weights.values()), allow_unused=True)
        together.step(clipped(gradients, clip_gradient))
        players.detach()
        left -= length
    together.give_back()
    players.give_back()
    read = {name: values.tolist() for name, values in metrics.items()}
    for member, (learner, games) in enumerate(zip(learners, environments, strict=True)):
        learner.metrics = {name: values[member] for name, values in read.items()}
        if isinstance(games, Resumable):
            learner.environments = games.save()


def clipped(gradients: Sequence[Tensor | None], limit: float) -> list[Tensor | None]:
    """The gradients [members, ...] of weights, cut to a norm of at most ``limit`` for each member, as torch cuts them."""
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients if gradient is not None])
    kept = (limit / (norms.norm(dim=0) + 1e-6)).clamp(max=1.0)
    return [None if gradient is None else gradient * along_members(kept, gradient) for gradient in gradients]


class _Players:
    """All members' agents in their environments."""

    def __init__(
        self,
        agents: Agents,
        learners: Sequence[Learner],
        environments: Sequence[Environments],
        rngs: Sequence[torch.Generator],
    ) -> None:
        self.agents, self.learners, self.environments, self.rngs = agents, learners, environments, rngs
        self.device = learners[0].agent.device
        every = [learner.interaction.carried for learner in learners]
        self.carried = {name: torch.stack([carried[name] for carried in every]) for name in every[0]}

    def act(self, length: int) -> tuple[list[Any], Rollout]:
        """The outputs of so many steps, each with the members first, and what came of them: [members, length, B]."""
        shape = len(self.learners), length, self.environments[0].batch
        rewards, ended = np.empty(shape, np.float32), np.empty(shape, np.bool_)
        outputs, actions = [], []
        for t in range(length):
            output, policy, self.carried = self.agents.step(self._seen(), self.carried, self._fresh())
            drawn = self._drawn(policy)
            taken = as_arrays(drawn)
            for member, (learner, games) in enumerate(zip(self.learners, self.environments, strict=True)):
                own = {name: part[member] for name, part in taken.items()} if isinstance(taken, dict) else taken[member]
                interaction = learner.interaction
                gained = interaction.take(games, own)
                learner.episodes.add(gained, interaction.fresh)
                rewards[member, t], ended[member, t] = interaction.learned(gained), interaction.fresh
            outputs.append(output)
            actions.append(drawn)
        moved = (torch.from_numpy(array).to(self.device) for array in (rewards, ended))
        return outputs, Rollout(mapped(stacked(actions), lambda steps: steps.transpose(0, 1)), *moved)

    @torch.no_grad()
    def ahead(self) -> Any:
        """The outputs of the step that comes next, which is not taken."""
        outputs, _, _ = self.agents.step(self._seen(), self.carried, self._fresh())
        return outputs

    def detach(self) -> None:
        """What is carried goes on without its past."""
        self.carried = {name: value.detach() for name, value in self.carried.items()}

    def give_back(self) -> None:
        """To each member what its agent carries."""
        for member, learner in enumerate(self.learners):
            learner.interaction.carried = {name: value[member].clone() for name, value in self.carried.items()}

    def _seen(self) -> Observations:
        each = [
            learner.interaction.seen(games) for learner, games in zip(self.learners, self.environments, strict=True)
        ]
        stacks = {name: np.stack([seen[name] for seen in each]) for name in each[0]}
        return {name: torch.from_numpy(stack).to(self.device) for name, stack in stacks.items()}

    def _fresh(self) -> Tensor:
        return torch.from_numpy(np.stack([learner.interaction.fresh for learner in self.learners])).to(self.device)

    @torch.no_grad()
    def _drawn(self, policy: Distribution) -> ActionTensors:
        """Actions [members, B]: each member's from its own generator."""
        own = [mapped(policy, operator.itemgetter(member)) for member in range(len(self.rngs))]
        return stacked([one.sample(rng) for one, rng in zip(own, self.rngs, strict=True)])
