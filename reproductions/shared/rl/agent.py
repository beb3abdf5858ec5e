"""The contract of agents, the network that they look with, and the plain one: an LSTM actor-critic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reproductions.shared.rl.returns import entropy, log_likelihood, n_step_returns

#: What an agent carries from step to step, by name, the batch along the first axis.
Recurrent = dict[str, Tensor]


@dataclass(frozen=True)
class Rollout:
    """``T`` steps of ``B`` environments. actions: int [T, B]; rewards: float [T, B], as learned from; ended: bool [T, B]."""

    actions: Tensor
    rewards: Tensor
    ended: Tensor


class Agent(Protocol):
    """A recurrent network that acts, and the loss that it learns by.

    ``step`` takes observations, uint8 [B, C, H, W], and what was carried, and gives its outputs (whatever ``loss`` needs,
    with gradient; ``logits`` [B, A] among them) and what to carry on. ``loss`` takes the outputs of the T steps of a rollout
    and those of the step after it, without gradient, for bootstrapping. ``coefficients`` are the hyperparameters.
    """

    def initial(self, batch: int) -> Recurrent: ...

    def step(self, observations: Tensor, carried: Recurrent, rng: torch.Generator) -> tuple[Any, Recurrent]: ...

    def loss(
        self, outputs: Sequence[Any], after: Any, rollout: Rollout, coefficients: Mapping[str, float]
    ) -> tuple[Tensor, dict[str, float]]: ...


def restarted(carried: Recurrent, fresh: Tensor) -> Recurrent:
    """What is carried, zero for the environments that begin an episode. fresh: bool [B]."""
    if not bool(fresh.any()):
        return carried
    keep = ~fresh
    return {name: value * keep.view(-1, *[1] * (value.dim() - 1)).to(value.dtype) for name, value in carried.items()}


class Perception(nn.Module):
    """Two convolutions and a linear layer: uint8 [B, C, size, size] to [B, width], non-negative.

    ``large`` is the network of the A3C paper (16 8x8/4, 32 4x4/2) for 84x84; otherwise a smaller one for 42x42 (16 6x6/3,
    32 4x4/2; our choice).
    """

    def __init__(self, channels: int, size: int, width: int) -> None:
        super().__init__()
        kernel, stride = (8, 4) if size >= 80 else (6, 3)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, 16, kernel, stride), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten()
        )
        features = self.convolutions(torch.zeros(1, channels, size, size)).shape[1]
        self.linear = nn.Linear(features, width)

    def forward(self, observations: Tensor) -> Tensor:
        scaled = observations.to(torch.float32) / 255
        return torch.relu(self.linear(self.convolutions(scaled)))


@dataclass(frozen=True)
class LstmOutput:
    """logits [B, A], value [B]."""

    logits: Tensor
    value: Tensor


class LstmActorCritic(nn.Module):
    """A3C's recurrent agent: perception, an LSTM, a policy and a value (Mnih et al., 2016)."""

    def __init__(self, channels: int, size: int, actions: int, width: int, discount: float = 0.99) -> None:
        super().__init__()
        self.perception = Perception(channels, size, width)
        self.memory = nn.LSTMCell(width, width)
        self.policy, self.value = nn.Linear(width, actions), nn.Linear(width, 1)
        self.width, self.discount = width, discount

    def initial(self, batch: int) -> Recurrent:
        return {name: torch.zeros(batch, self.width) for name in ("hidden", "cell")}

    def step(self, observations: Tensor, carried: Recurrent, rng: torch.Generator) -> tuple[LstmOutput, Recurrent]:
        hidden, cell = self.memory(self.perception(observations), (carried["hidden"], carried["cell"]))
        output = LstmOutput(self.policy(hidden), self.value(hidden).squeeze(-1))
        return output, {"hidden": hidden, "cell": cell}

    def loss(
        self,
        outputs: Sequence[LstmOutput],
        after: LstmOutput,
        rollout: Rollout,
        coefficients: Mapping[str, float],
    ) -> tuple[Tensor, dict[str, float]]:
        values = torch.stack([output.value for output in outputs])
        returns = n_step_returns(rollout.rewards, rollout.ended, after.value, self.discount)
        return actor_critic_loss(
            torch.stack([output.logits for output in outputs]), values, returns, rollout.actions, coefficients
        )


def actor_critic_loss(
    logits: Tensor, values: Tensor, returns: Tensor, actions: Tensor, coefficients: Mapping[str, float]
) -> tuple[Tensor, dict[str, float]]:
    """Policy gradient, half the squared error of the value at half weight, and the entropy bonus: means over [T, B]."""
    log_probabilities = torch.log_softmax(logits, -1)
    advantages = returns - values
    policy = -(log_likelihood(log_probabilities, actions) * advantages.detach()).mean()
    uncertainty = entropy(log_probabilities).mean()
    loss = policy + 0.5 * advantages.square().mean() - coefficients["entropy_cost"] * uncertainty
    return loss, {"entropy": float(uncertainty.detach())}
