"""The arithmetic of n-step advantage actor-critic: pure functions of arrays with time first, [T, B].

Mnih et al. (2016), "Asynchronous Methods for Deep Reinforcement Learning", algorithm S3; the synchronous form.
"""

from __future__ import annotations

import torch
from torch import Tensor


def n_step_returns(rewards: Tensor, ended: Tensor, bootstrap: Tensor, discount: float) -> Tensor:
    """R_t = r_t + discount * R_{t+1}, cut where an episode ended, from ``bootstrap`` = V(s_T) on.

    rewards: float [T, B], of the step from t to t + 1. ended: bool [T, B], whether that step ended the episode.
    bootstrap: float [B]. Returns float [T, B], without gradient.
    """
    assert rewards.shape == ended.shape == (len(rewards), *bootstrap.shape), "shapes must be [T, B], [T, B], [B]"
    going_on = discount * (~ended).to(rewards.dtype)
    following, returns = bootstrap.detach(), []
    for t in range(len(rewards) - 1, -1, -1):
        following = rewards[t] + going_on[t] * following
        returns.append(following)
    return torch.stack(returns[::-1])


def entropy(log_probabilities: Tensor) -> Tensor:
    """H = - sum_a p(a) log p(a) in nats, over the last axis."""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def log_likelihood(log_probabilities: Tensor, actions: Tensor) -> Tensor:
    """log p(a) of the actions taken: [..., A] and int [...] to [...]."""
    return log_probabilities.gather(-1, actions[..., None]).squeeze(-1)
