"""Synchronous n-step actor-critic: act with the batch of environments, then take one optimiser step, over and over.

The graph of the acting pass is kept and differentiated: between two updates the weights are the same, so a second pass
over the rollout would compute the same numbers again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pbt_core import Stream
from reproductions.shared.rl.agent import Agent, Rollout
from reproductions.shared.rl.distributions import ActionTensors
from reproductions.shared.rl.environments import Arrays, Environments, Resumable
from reproductions.shared.rl.episodes import Episodes
from reproductions.shared.rl.interaction import Interaction, feedback
from reproductions.shared.rl.memory import Memory


@dataclass
class Learner:
    """A member's state. metrics: of the last update of the last interval.

    environments: what ``Resumable.save`` gave: what runs, while others use the machinery; empty if it cannot be saved.
    memory: of an agent that remembers.
    """

    agent: Agent
    optimizer: torch.optim.Optimizer
    interaction: Interaction
    episodes: Episodes
    environments: Arrays = field(default_factory=dict)
    memory: Memory | None = None
    metrics: dict[str, float] = field(default_factory=dict)

    @classmethod
    def new(
        cls, agent: Agent, optimizer: torch.optim.Optimizer, environments: Environments, clip_rewards: bool
    ) -> Learner:
        """Before the first step. ValueError for fewer than two environments."""
        episodes = Episodes.none(environments.batch)
        interaction = Interaction.beginning(agent, environments, clip_rewards)
        memory = None
        if agent.remembers:
            seen = {**environments.observations, **feedback(agent, environments.actions)}
            memory = Memory(agent.remembers, environments.batch, seen, environments.actions)
        return cls(agent, optimizer, interaction, episodes, memory=memory)


def train(
    learner: Learner,
    environments: Environments,
    coefficients: Mapping[str, float],
    steps: int,
    unroll: int,
    seed: Stream,
    *,
    clip_gradient: float,
) -> Learner:
    """Train for ``steps`` agent steps, counted over all environments, in rollouts of ``unroll`` steps of each of them.

    ``steps`` must be a multiple of the number of environments (ValueError); the last rollout is shorter if need be, so that
    every step is taken and learned from once. clip_gradient: largest norm of a gradient.
    """
    left, remainder = divmod(steps, environments.batch)
    if remainder:
        raise ValueError(f"steps = {steps} must be a multiple of the {environments.batch} environments")
    resume(learner, environments, seed.child("environments"))
    rng = torch.Generator(learner.agent.device).manual_seed(seed.integer())
    draws = seed.child("memory").generator()
    parameters = list(learner.agent.parameters())
    metrics: Mapping[str, Tensor] = {}
    while left:
        length = min(unroll, left)
        outputs, rollout = _act(learner, environments, length, rng)
        after = learner.interaction.ahead(learner.agent, environments, rng)
        loss, metrics = learner.agent.loss(outputs, after, rollout, coefficients)
        if learner.memory is not None:
            auxiliary, more = learner.agent.auxiliary(learner.memory, coefficients, draws)
            loss, metrics = loss + auxiliary, {**metrics, **more}
        learner.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, clip_gradient)
        learner.optimizer.step()
        interaction = learner.interaction
        interaction.carried = {name: value.detach() for name, value in interaction.carried.items()}
        left -= length
    learner.metrics = {name: float(value) for name, value in metrics.items()}
    if isinstance(environments, Resumable):
        learner.environments = environments.save()
    return learner


def resume(learner: Learner, environments: Environments, seed: Stream) -> None:
    """Go on with the running episodes, or begin new ones if they could not be saved.

    They begin anew in every interval, also where the worker still has them: a run must not depend on who kept what.
    """
    memory = learner.memory
    if memory is not None and not learner.agent.saves_memory:
        memory.forget()
    if isinstance(environments, Resumable):
        environments.load(learner.environments)
        return
    environments.begin(seed.integer())
    learner.interaction.begin()
    learner.episodes.cut()
    if memory is not None:
        memory.cut()


def _act(learner: Learner, environments: Environments, length: int, rng: torch.Generator) -> tuple[list[Any], Rollout]:
    interaction, agent = learner.interaction, learner.agent
    outputs: list[Any] = []
    actions: list[ActionTensors] = []
    rewards = np.empty((length, environments.batch), np.float32)
    ended = np.empty((length, environments.batch), np.bool_)
    for t in range(length):
        step = interaction.act(agent, environments, rng, learner.memory)
        learner.episodes.add(step.rewards, step.ended)
        outputs.append(step.outputs)
        actions.append(step.actions)
        rewards[t], ended[t] = interaction.learned(step.rewards), step.ended
    moved = (torch.from_numpy(array).to(agent.device) for array in (rewards, ended))
    return outputs, Rollout(stacked(actions), *moved)


def stacked(actions: list[ActionTensors]) -> ActionTensors:
    """[T, B] of T tensors [B], by part if they have parts."""
    by_part = [step for step in actions if isinstance(step, dict)]
    if by_part:
        return {name: torch.stack([step[name] for step in by_part]) for name in by_part[0]}
    return torch.stack([step for step in actions if isinstance(step, Tensor)])
