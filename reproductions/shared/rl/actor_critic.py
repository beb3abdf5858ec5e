"""The plain agents: a policy and a value on what a network sees, without memory or with an LSTM; and their loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reproductions.shared.rl import distributions
from reproductions.shared.rl.agent import Agent, Loss, Observations, Recurrent, Rollout
from reproductions.shared.rl.distributions import Distribution, Logits
from reproductions.shared.rl.environments import Actions, Discrete
from reproductions.shared.rl.returns import n_step_returns


@dataclass(frozen=True)
class Output:
    """One step: the policy over the batch, and the value [B]."""

    policy: Distribution
    value: Tensor


class PolicyHead(nn.Module):
    """Logits of each part of a composite action: a linear layer each, [B, width] to a tensor [B, n] by name."""

    def __init__(self, width: int, parts: Mapping[str, Discrete]) -> None:
        super().__init__()
        self.names = list(parts)
        self.parts = nn.ModuleList(nn.Linear(width, part.n) for part in parts.values())

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {name: part(features) for name, part in zip(self.names, self.parts, strict=True)}


class _ActorCritic(Agent):
    """What both agents share: heads on features [B, width], and the loss. discount: of rewards, a step."""

    used: Tensor | None

    def _heads(self, actions: Actions, width: int, discount: float) -> None:
        self.policy: nn.Module
        if isinstance(actions, Discrete):
            self.policy = nn.Linear(width, actions.n)
            used = None
        else:
            self.policy = PolicyHead(width, actions.parts)
            used = distributions.usage(actions)
        self.value = nn.Linear(width, 1)
        self.register_buffer("used", used, persistent=False)
        self.actions, self.width, self.discount = actions, width, discount

    @abstractmethod
    def step(
        self, observations: Observations, carried: Recurrent, rng: torch.Generator
    ) -> tuple[Output, Recurrent]: ...

    def output(self, features: Tensor, observations: Observations) -> Output:
        """Policy and value from features [B, width]; masks are among the observations."""
        logits: Logits = self.policy(features)
        policy = distributions.distribution(self.actions, logits, observations, self.used)
        return Output(policy, self.value(features).squeeze(-1))

    def distribution(self, outputs: Output) -> Distribution:
        return outputs.policy

    def loss(
        self, outputs: Sequence[Output], after: Output, rollout: Rollout, coefficients: Mapping[str, float]
    ) -> Loss:
        values = torch.stack([output.value for output in outputs])
        returns = n_step_returns(rollout.rewards, rollout.ended, after.value, self.discount)
        policy = distributions.stacked([output.policy for output in outputs])
        return actor_critic_loss(policy, values, returns, rollout.actions, coefficients)


class FeedForwardActorCritic(_ActorCritic):
    """Policy and value on what ``perception`` makes of the observations at hand, [B, width]; nothing is carried."""

    def __init__(self, perception: nn.Module, actions: Actions, width: int, discount: float = 0.99) -> None:
        super().__init__()
        self.perception = perception
        self._heads(actions, width, discount)

    def initial(self, batch: int) -> Recurrent:
        return {}

    def step(self, observations: Observations, carried: Recurrent, rng: torch.Generator) -> tuple[Output, Recurrent]:
        return self.output(self.perception(observations), observations), {}


class LstmActorCritic(_ActorCritic):
    """A3C's recurrent agent: ``perception`` to [B, width], an LSTM, a policy and a value (Mnih et al., 2016).

    inputs: of the LSTM, where a subclass feeds it more than what is perceived (``features``).
    """

    def __init__(
        self, perception: nn.Module, actions: Actions, width: int, discount: float = 0.99, inputs: int | None = None
    ) -> None:
        super().__init__()
        self.perception = perception
        self.memory = nn.LSTMCell(inputs or width, width)
        self._heads(actions, width, discount)

    def initial(self, batch: int) -> Recurrent:
        return {name: torch.zeros(batch, self.width, device=self.device) for name in ("hidden", "cell")}

    def step(self, observations: Observations, carried: Recurrent, rng: torch.Generator) -> tuple[Output, Recurrent]:
        carried = self.remember(self.features(observations), carried)
        return self.output(carried["hidden"], observations), carried

    def features(self, observations: Observations) -> Tensor:
        """What the LSTM is fed: [B, inputs]."""
        features: Tensor = self.perception(observations)
        return features

    def remember(self, features: Tensor, carried: Recurrent) -> Recurrent:
        """One step of the LSTM, whose output is ``hidden``."""
        hidden, cell = self.memory(features, (carried["hidden"], carried["cell"]))
        return {"hidden": hidden, "cell": cell}

    def remembered(self, features: Tensor, fresh: Tensor) -> Tensor:
        """The LSTM's outputs along known sequences, from zeros at each beginning: [T, N, inputs] to [T, N, width].

        fresh: bool [T, N], true in the first row. The same as ``remember`` step by step, in one pass: what follows a
        beginning is taken for a sequence of its own.
        """
        steps, n = fresh.shape
        part = fresh.T.flatten().cumsum(0).view(n, steps).T - 1
        count = int(part[-1, -1]) + 1
        begun = fresh.T.nonzero()[:, 1]
        place = torch.arange(steps, device=fresh.device)[:, None] - begun[part], part
        parts = features.new_zeros(steps, count, features.shape[-1]).index_put(place, features)
        zeros = features.new_zeros(1, count, self.width)
        lstm = self.memory
        weights = [lstm.weight_ih, lstm.weight_hh, lstm.bias_ih, lstm.bias_hh]
        outputs = torch.lstm(parts, (zeros, zeros), weights, True, 1, 0.0, self.training, False, False)[0]
        return outputs[place]


def actor_critic_loss(
    policy: Distribution, values: Tensor, returns: Tensor, actions: Any, coefficients: Mapping[str, float]
) -> Loss:
    """Policy gradient, half the mean squared error of the value, and the entropy bonus: means over [T, B]."""
    advantages = returns - values
    gain = -(policy.log_likelihood(actions) * advantages.detach()).mean()
    uncertainty = policy.entropy(actions).mean()
    loss = gain + 0.5 * advantages.square().mean() - coefficients["entropy_cost"] * uncertainty
    return loss, {"entropy": uncertainty.detach()}
