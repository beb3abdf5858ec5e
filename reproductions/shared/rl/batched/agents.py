"""The agents of several members as one, by ``torch.func``: any agent whose functions can be mapped over its weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from reproductions.shared.rl.agent import Agent, Observations, Recurrent, Rollout, restarted
from reproductions.shared.rl.batched.trees import over_members
from reproductions.shared.rl.distributions import Distribution


class Agents:
    """Agents that differ in their weights alone. All tensors have the members along the first axis, then what an agent has.

    agent: one of them, of whose own weights nothing is used. weights: by name, [members, ...].
    """

    def __init__(self, agent: Agent, weights: Mapping[str, Tensor]) -> None:
        self._call = _Call(_mappable(agent))
        self._weights = {f"agent.{name}": weight for name, weight in weights.items()}

    def step(
        self, observations: Observations, carried: Recurrent, fresh: Tensor
    ) -> tuple[Any, Distribution, Recurrent]:
        """``Agent.step`` and the policy of its outputs. fresh: bool [members, B], where an episode begins."""

        def one(weights: Any, observations: Any, carried: Any, fresh: Tensor) -> Any:
            outputs, carried = self._of("step", weights, observations, restarted(carried, fresh), torch.Generator())
            return outputs, self._call.agent.distribution(outputs), carried

        outputs, policy, carried = over_members(one, self._weights, observations, carried, fresh)
        return outputs, policy, carried

    def loss(
        self, outputs: Sequence[Any], after: Any, rollout: Rollout, coefficients: Mapping[str, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """``Agent.loss`` of each member, [members], and its metrics."""

        def one(weights: Any, *arguments: Any) -> Any:
            return self._of("loss", weights, *arguments)

        losses, metrics = over_members(one, self._weights, list(outputs), after, rollout, coefficients)
        return losses, metrics

    def _of(self, method: str, weights: dict[str, Tensor], *arguments: Any) -> Any:
        return functional_call(self._call, weights, (method, *arguments))


class _Call(nn.Module):
    """Any method of an agent as the one that ``functional_call`` calls."""

    def __init__(self, agent: Agent) -> None:
        super().__init__()
        self.agent = agent

    def forward(self, method: str, *arguments: Any) -> Any:
        return getattr(self.agent, method)(*arguments)


def _mappable(agent: Agent) -> Agent:
    """A copy of the agent whose LSTM cells are written out: torch's own have no rule by which they are mapped."""
    agent = copy.deepcopy(agent)
    for name, module in list(agent.named_modules()):
        if type(module) is nn.LSTMCell:
            cell = _LstmCell(module.input_size, module.hidden_size, module.bias, device="meta")
            agent.set_submodule(name, cell)
    return agent


class _LstmCell(nn.LSTMCell):
    """The same function of the same weights."""

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        zeros = input.new_zeros(len(input), self.hidden_size)
        hidden, cell = (zeros, zeros) if hx is None else hx
        linear = nn.functional.linear
        gates = linear(input, self.weight_ih, self.bias_ih) + linear(hidden, self.weight_hh, self.bias_hh)
        entering, kept, new, shown = gates.chunk(4, 1)
        cell = torch.sigmoid(kept) * cell + torch.sigmoid(entering) * torch.tanh(new)
        return torch.sigmoid(shown) * torch.tanh(cell), cell
