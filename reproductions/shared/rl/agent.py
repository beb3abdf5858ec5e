"""The contract of agents: what one sees, carries, does and learns by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from reproductions.shared.rl.distributions import ActionTensors, Distribution
from reproductions.shared.rl.memory import Memory

#: Named observations, each [B, ...].
Observations = dict[str, Tensor]
#: What an agent carries from step to step, by name, the batch along the first axis.
Recurrent = dict[str, Tensor]
#: A loss, and what is worth a curve. Metrics stay where they were computed: the learner reads them once an interval.
Loss = tuple[Tensor, Mapping[str, Tensor]]
#: Names of the observations that an agent with ``feedback`` sees besides the environments' own. The last action is int64
#: [B], or one such array a part, named "last_action.<part>"; the last reward float32 [B], as learned from.
LAST_ACTION, LAST_REWARD = "last_action", "last_reward"


@dataclass(frozen=True)
class Rollout:
    """``T`` steps of ``B`` environments: actions int64 [T, B], or one such tensor a part; rewards as learned from, ended.

    rewards: float32 [T, B]. ended: bool [T, B], whether a step ended its episode.
    """

    actions: Any
    rewards: Tensor
    ended: Tensor


class Agent(nn.Module, ABC):
    """A network that acts, and the losses that it learns by. Outputs are of any type: ``loss`` gets them as they were.

    feedback: whether it is shown its last action and reward (see ``LAST_ACTION``), zero where an episode begins.
    remembers: steps of each environment that a memory keeps for its auxiliary losses; with 0 there is no memory.
    saves_memory: whether checkpoints hold it; otherwise it is empty at the beginning of each interval.
    """

    feedback: ClassVar[bool] = False
    remembers: int = 0
    saves_memory: bool = True

    @property
    def device(self) -> torch.device:
        """Where its parameters are, and so whatever it sees."""
        return next(self.parameters()).device

    @abstractmethod
    def initial(self, batch: int) -> Recurrent:
        """What is carried into the first step: zeros, on the agent's device. An episode's beginning makes it zero again."""

    @abstractmethod
    def step(self, observations: Observations, carried: Recurrent, rng: torch.Generator) -> tuple[Any, Recurrent]:
        """The outputs of one step, with gradient, and what to carry on; no action is taken."""

    @abstractmethod
    def distribution(self, outputs: Any) -> Distribution:
        """The policy of one step."""

    def act(
        self, observations: Observations, carried: Recurrent, rng: torch.Generator
    ) -> tuple[ActionTensors, Any, Recurrent]:
        """Actions, outputs and what to carry on. Override it where one part of an action depends on another."""
        outputs, carried = self.step(observations, carried, rng)
        return self.distribution(outputs).sample(rng), outputs, carried

    @abstractmethod
    def loss(self, outputs: Sequence[Any], after: Any, rollout: Rollout, coefficients: Mapping[str, float]) -> Loss:
        """From the outputs of a rollout's T steps and, without gradient, of the step ``after`` it, to bootstrap from.

        coefficients: hyperparameters. Means over the rollout, so that they do not depend on its length.
        """

    def auxiliary(self, memory: Memory, coefficients: Mapping[str, float], rng: np.random.Generator) -> Loss:
        """What is added to the loss of each update by an agent that ``remembers``, from samples of the memory.

        The memory may still be too small to sample from (``Memory.holds``): then the loss is a zero.
        """
        raise NotImplementedError(f"{type(self).__name__} remembers {self.remembers} steps and has no auxiliary loss")


def restarted(carried: Recurrent, fresh: Tensor) -> Recurrent:
    """What is carried, zero for the environments that begin an episode. fresh: bool [B]."""
    keep = ~fresh
    return {name: value * keep.view(-1, *[1] * (value.dim() - 1)).to(value.dtype) for name, value in carried.items()}
