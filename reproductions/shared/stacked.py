"""Members as one program: the weights of their networks and the state of their optimisers, stacked along a first axis.

All weights of all members are updated in the same few operations, each member's by its own learning rate. The arithmetic is
that of ``torch.optim``, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer, RMSprop

_STEP = "step"


class Stacked:
    """The weights of ``members`` networks of one architecture, by name, [members, ...] each, and the optimiser of them all.

    networks, optimizers: of the members, in one order. They are changed by ``give_back`` alone; the learning rates are those
    that the optimisers have now. ValueError for optimisers that have no stacked form, or differ in more than that rate.
    """

    def __init__(self, networks: Sequence[nn.Module], optimizers: Sequence[Optimizer]) -> None:
        self._rule, self._options = _rule(optimizers)
        self._owned = [dict(network.named_parameters()) for network in networks]
        self._optimizers = optimizers
        self.members = len(networks)
        self.weights: dict[str, Tensor] = {}
        self._slots: dict[str, dict[str, Tensor]] = {}
        for name in self._owned[0]:
            mine = [owned[name].detach() for owned in self._owned]
            self.weights[name] = torch.stack(mine).requires_grad_()
            self._slots[name] = self._gathered(name)
        device = next(iter(self.weights.values())).device
        self._lr = torch.tensor([float(optimizer.param_groups[0]["lr"]) for optimizer in optimizers], device=device)
        self._moved: set[str] = set()

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """One step of each member's optimiser, given the gradients of ``weights`` in their order.

        A weight without a gradient (None) stays as it is.
        """
        for (name, weight), gradient in zip(self.weights.items(), gradients, strict=True):
            if gradient is not None:
                slots = self._slots[name]
                slots[_STEP] += 1
                self._rule.update(weight, gradient, slots, along_members(self._lr, weight), self._options)
                self._moved.add(name)

    @torch.no_grad()
    def give_back(self) -> None:
        """Copy weights and state into the members' networks and optimisers."""
        for name in filter(self._moved.__contains__, self.weights):  # in torch's order, which checkpoints keep
            for member, owned in enumerate(self._owned):
                parameter, state = owned[name], self._optimizers[member].state
                parameter.copy_(self.weights[name][member])
                if not state[parameter]:
                    state[parameter] = self._begun(parameter)
                for slot, values in self._slots[name].items():
                    state[parameter][slot].copy_(values[member])

    def _gathered(self, name: str) -> dict[str, Tensor]:
        """The state of one weight's optimisers, which begins at zero for members that have none yet."""
        pairs = zip(self._optimizers, self._owned, strict=True)
        states = [optimizer.state.get(owned[name]) or self._begun(owned[name]) for optimizer, owned in pairs]
        device = self.weights[name].device
        return {slot: torch.stack([state[slot].to(device) for state in states]) for slot in states[0]}

    def _begun(self, parameter: Tensor) -> dict[str, Tensor]:
        """What torch's optimiser begins with, where it keeps it: the count of steps on the processor unless it is fused."""
        place = parameter.device if self._options.get("fused") or self._options.get("capturable") else "cpu"
        state = {_STEP: torch.zeros((), device=place)}
        return state | {slot: torch.zeros_like(parameter, requires_grad=False) for slot in self._rule.slots}


Update = Callable[[Tensor, Tensor, Mapping[str, Tensor], Tensor, Mapping[str, Any]], None]


def _rmsprop(
    weight: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], lr: Tensor, options: Mapping[str, Any]
) -> None:
    square = slots["square_avg"].mul_(options["alpha"]).addcmul_(gradient, gradient, value=1 - options["alpha"])
    weight.addcdiv_(gradient * lr, square.sqrt().add_(options["eps"]), value=-1)


def _adam(
    weight: Tensor, gradient: Tensor, slots: Mapping[str, Tensor], lr: Tensor, options: Mapping[str, Any]
) -> None:
    first, second = options["betas"]
    mean = slots["exp_avg"].lerp_(gradient, 1 - first)
    square = slots["exp_avg_sq"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
    count = along_members(slots[_STEP], weight)
    deviation = (square / _debias(second, count)).sqrt_().add_(options["eps"])
    weight.addcdiv_(mean * (lr / _debias(first, count)), deviation, value=-1)


def _debias(beta: float, count: Tensor) -> Tensor:
    """1 - beta^count, exact also where it is small and float32 is all there is."""
    return -torch.expm1(count * (math.log(beta) if beta else -math.inf))


@dataclass(frozen=True)
class _Rule:
    """slots: of an optimiser's state beside the count of steps, in torch's order. without: options that must be off."""

    update: Update
    slots: tuple[str, ...]
    without: tuple[str, ...]


_RULES: Mapping[type[Optimizer], _Rule] = {
    RMSprop: _Rule(_rmsprop, ("square_avg",), ("weight_decay", "momentum", "centered", "maximize")),
    Adam: _Rule(_adam, ("exp_avg", "exp_avg_sq"), ("weight_decay", "amsgrad", "maximize")),
}


def _rule(optimizers: Sequence[Optimizer]) -> tuple[_Rule, dict[str, Any]]:
    """How these are updated, and the options that they share: all but parameters and learning rate."""
    kind, name = type(optimizers[0]), type(optimizers[0]).__name__
    if kind not in _RULES:
        raise ValueError(f"the optimiser {name} has no stacked form: only {', '.join(k.__name__ for k in _RULES)} have")
    groups = [optimizer.param_groups for optimizer in optimizers]
    if any(len(group) != 1 for group in groups):
        raise ValueError(f"the optimiser {name} has groups of parameters: only one group has a stacked form")
    options, *others = ({key: v for key, v in group.items() if key not in ("params", "lr")} for (group,) in groups)
    if any(other != options for other in others):
        raise ValueError(f"the members' optimisers ({name}) differ in more than their learning rates")
    for key in _RULES[kind].without:
        if options[key]:
            raise ValueError(f"the optimiser {name} with {key} = {options[key]} has no stacked form: it must be off")
    return _RULES[kind], options


def along_members(values: Tensor, weight: Tensor) -> Tensor:
    """[members] as it meets a weight [members, ...]."""
    return values.view(-1, *[1] * (weight.dim() - 1))


__all__ = ["Stacked", "along_members"]
