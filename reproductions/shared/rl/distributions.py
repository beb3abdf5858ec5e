"""Policies as distributions over actions: one choice, masked or not, and composite actions whose arguments may not count.

All take any leading axes, usually [B] while acting and [T, B] while learning. Tests hold them against slow loops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from reproductions.shared.rl.environments import Actions, Composite, Discrete
from reproductions.shared.rl.returns import entropy, log_likelihood

#: Actions as tensors: int64 [...], or one such tensor for each part of a ``Composite``.
ActionTensors = Tensor | dict[str, Tensor]
#: What a network says of actions: [..., n], or one such tensor for each part of a ``Composite``.
Logits = Tensor | dict[str, Tensor]


@dataclass(frozen=True)
class Categorical:
    """softmax(logits) over the last axis, over the actions that ``mask`` allows: logits float, mask bool, both [..., n].

    An action that is not available has probability zero, and its logit no gradient. Every row must allow one at least.
    """

    logits: Tensor
    mask: Tensor | None = None

    @cached_property
    def log_probabilities(self) -> Tensor:
        """[..., n]; minus infinity for what is not available."""
        return torch.log_softmax(self._masked, -1)

    def sample(self, rng: torch.Generator) -> Tensor:
        """One action each: int64 [...], without gradient."""
        probabilities = torch.softmax(self._masked.detach(), -1)
        rows = probabilities.reshape(-1, probabilities.shape[-1])
        return torch.multinomial(rows, 1, generator=rng).reshape(probabilities.shape[:-1])

    def log_likelihood(self, actions: Tensor) -> Tensor:
        """log p(a): int64 [...] to [...]."""
        return log_likelihood(self.log_probabilities, actions)

    def entropy(self, actions: Tensor | None = None) -> Tensor:
        """In nats, [...]. The actions do not matter; they do to a ``Joint``."""
        if self.mask is None:
            return entropy(self.log_probabilities)
        # 0 log 0 is 0: the product of zero and minus infinity would be no number, nor would its gradient.
        finite = self.log_probabilities.masked_fill(~self.mask, 0.0)
        return -(self.log_probabilities.exp() * finite).sum(-1)

    @classmethod
    def stack(cls, steps: Sequence[Categorical]) -> Categorical:
        """The distributions of T steps as one, with the time first."""
        masks = [step.mask for step in steps if step.mask is not None]
        return cls(torch.stack([step.logits for step in steps]), torch.stack(masks) if masks else None)

    @property
    def _masked(self) -> Tensor:
        return self.logits if self.mask is None else self.logits.masked_fill(~self.mask, -torch.inf)


@dataclass(frozen=True)
class Joint:
    """A composite action: its parts are drawn independently, and only those count that the chosen function takes.

    parts: a distribution for each. chooser, used: the part that decides, and for each of its values which parts count, bool
    [values, parts], by the order of ``parts`` (see ``usage``); None where all count.
    """

    parts: Mapping[str, Categorical]
    chooser: str | None = None
    used: Tensor | None = None

    def sample(self, rng: torch.Generator) -> dict[str, Tensor]:
        """int64 [...] for each part; 0 where a part does not count."""
        drawn = {name: part.sample(rng) for name, part in self.parts.items()}
        counting = self._counting(drawn)
        return drawn if counting is None else {name: drawn[name] * counting[..., i] for i, name in enumerate(drawn)}

    def log_likelihood(self, actions: Mapping[str, Tensor]) -> Tensor:
        """The sum of log p over the parts that count: int64 [...] each to [...]."""
        return self._total({name: part.log_likelihood(actions[name]) for name, part in self.parts.items()}, actions)

    def entropy(self, actions: Mapping[str, Tensor]) -> Tensor:
        """The sum of entropies in nats over the parts that count for ``actions``, [...].

        Its mean over the policy is the entropy of the whole action: H(function) + E[H(arguments | function)].
        """
        return self._total({name: part.entropy() for name, part in self.parts.items()}, actions)

    @classmethod
    def stack(cls, steps: Sequence[Joint]) -> Joint:
        """The distributions of T steps as one, with the time first."""
        parts = {name: Categorical.stack([step.parts[name] for step in steps]) for name in steps[0].parts}
        return cls(parts, steps[0].chooser, steps[0].used)

    def _counting(self, actions: Mapping[str, Tensor]) -> Tensor | None:
        """Which parts count: bool [..., parts]; None if all do."""
        return None if self.chooser is None or self.used is None else self.used[actions[self.chooser]]

    def _total(self, values: Mapping[str, Tensor], actions: Mapping[str, Tensor]) -> Tensor:
        each = torch.stack(list(values.values()), -1)
        counting = self._counting(actions)
        # Not a product: what does not count may be infinite.
        return (each if counting is None else torch.where(counting, each, 0.0)).sum(-1)


Distribution = Categorical | Joint


def usage(actions: Composite) -> Tensor | None:
    """Which parts count for each value of the chooser: bool [values, parts], the chooser itself always; None without one."""
    if actions.chooser is None:
        return None
    rows = [[name == actions.chooser or name in names for name in actions.parts] for names in actions.arguments]
    return torch.tensor(rows)


def distribution(
    actions: Actions, logits: Logits, observations: Mapping[str, Tensor], used: Tensor | None = None
) -> Distribution:
    """The policy over ``actions`` that a network's logits and the masks among the observations say. used: see ``usage``."""

    def part(space: Discrete, values: Tensor) -> Categorical:
        return Categorical(values, None if space.mask is None else observations[space.mask])

    if isinstance(actions, Discrete):
        assert isinstance(logits, Tensor), "a discrete action has one tensor of logits"
        return part(actions, logits)
    assert not isinstance(logits, Tensor), "a composite action has logits by part"
    return Joint({name: part(space, logits[name]) for name, space in actions.parts.items()}, actions.chooser, used)


def stacked(steps: Sequence[Distribution]) -> Distribution:
    """The distributions of T steps as one, with the time first."""
    if isinstance(steps[0], Categorical):
        return Categorical.stack([step for step in steps if isinstance(step, Categorical)])
    return Joint.stack([step for step in steps if isinstance(step, Joint)])
