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
from numpy.typing import NDArray
from torch import Tensor, nn

from reproductions.shared.rl.agent import Agent, Recurrent, Rollout, restarted
from reproductions.shared.rl.environments import Environments, Episodes


@dataclass
class Learner:
    """A member's state. ``environments`` is what ``Environments.save`` gave: what runs, while others use the machinery.

    fresh: bool [B], environments whose next observation begins an episode. metrics: of the last update.
    """

    agent: Any
    optimizer: torch.optim.Optimizer
    carried: Recurrent
    fresh: NDArray[np.bool_]
    episodes: Episodes
    environments: Mapping[str, NDArray[Any]]
    metrics: dict[str, float] = field(default_factory=dict)


def train(
    learner: Learner,
    environments: Environments,
    coefficients: Mapping[str, float],
    steps: int,
    unroll: int,
    rng: torch.Generator,
    *,
    clip_rewards: bool,
    clip_gradient: float,
) -> Learner:
    """Train for ``steps`` agent steps, counted over all environments, in rollouts of ``unroll`` steps of each of them.

    ``steps`` must be a multiple of the number of environments (ValueError); the last rollout is shorter if need be.
    clip_rewards: learn from rewards cut to -1..1; returns are counted in full. clip_gradient: largest norm of a gradient.
    """
    left, remainder = divmod(steps, environments.batch)
    if remainder:
        raise ValueError(f"steps = {steps} must be a multiple of the {environments.batch} environments")
    environments.load(learner.environments)
    parameters = list(learner.agent.parameters())
    while left:
        length = min(unroll, left)
        outputs, rollout = _act(learner, environments, length, rng, clip_rewards)
        with torch.no_grad():  # the step after the rollout, only for its values
            after, _ = learner.agent.step(*_seen(learner, environments), rng)
        loss, learner.metrics = learner.agent.loss(outputs, after, rollout, coefficients)
        learner.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, clip_gradient)
        learner.optimizer.step()
        learner.carried = {name: value.detach() for name, value in learner.carried.items()}
        left -= length
    learner.environments = environments.save()
    return learner


def _act(
    learner: Learner, environments: Environments, length: int, rng: torch.Generator, clip_rewards: bool
) -> tuple[list[Any], Rollout]:
    agent: Agent = learner.agent
    outputs, actions, rewards, ended = [], [], [], []
    for _ in range(length):
        output, learner.carried = agent.step(*_seen(learner, environments), rng)
        action = _sampled(output.logits.detach(), rng)
        reward, learner.fresh = environments.step(action.numpy())
        learner.episodes.add(reward, learner.fresh)
        outputs.append(output)
        actions.append(action)
        rewards.append(np.clip(reward, -1, 1) if clip_rewards else reward)
        ended.append(learner.fresh)
    rollout = Rollout(
        torch.stack(actions),
        torch.from_numpy(np.stack(rewards)).to(torch.float32),
        torch.from_numpy(np.stack(ended)),
    )
    return outputs, rollout


def _seen(learner: Learner, environments: Environments) -> tuple[Tensor, Recurrent]:
    """What the agent goes by: observations, and what it carries, emptied where an episode begins."""
    return torch.from_numpy(environments.observe()), restarted(learner.carried, torch.from_numpy(learner.fresh))


def _sampled(logits: Tensor, rng: torch.Generator) -> Tensor:
    """One action each from softmax(logits): [B, A] to int64 [B]."""
    return torch.multinomial(torch.softmax(logits, -1), 1, generator=rng).squeeze(-1)
