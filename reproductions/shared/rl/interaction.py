"""The loop of agent and environments: what is seen is moved to the agent's device, actions back, and nothing else waits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reproductions.shared.rl.agent import LAST_ACTION, LAST_REWARD, Agent, Observations, Recurrent, restarted
from reproductions.shared.rl.distributions import ActionTensors
from reproductions.shared.rl.environments import ActionArrays, Actions, Array, Arrays, Environments
from reproductions.shared.rl.memory import Memory


@dataclass(frozen=True)
class Step:
    """One step of all environments: outputs and actions of the agent, rewards in full, float64 [B], ended, bool [B]."""

    outputs: Any
    actions: ActionTensors
    rewards: NDArray[np.float64]
    ended: NDArray[np.bool_]


@dataclass
class Interaction:
    """Where an agent stands in running episodes.

    carried: by the agent. fresh: bool [B], environments whose next observation begins an episode. last: the last actions
    and rewards by the names that the agent sees them under, zero where fresh; empty for an agent without feedback.
    """

    carried: Recurrent
    fresh: NDArray[np.bool_]
    last: Arrays
    clip_rewards: bool = False

    @classmethod
    def beginning(cls, agent: Agent, environments: Environments, clip_rewards: bool = False) -> Interaction:
        """Before the first step of all episodes."""
        last = {name: array.zeros(environments.batch) for name, array in feedback(agent, environments.actions).items()}
        fresh = np.ones(environments.batch, np.bool_)
        return cls(agent.initial(environments.batch), fresh, last, clip_rewards)

    def begin(self) -> None:
        """New episodes begin in all environments."""
        self.fresh = np.ones_like(self.fresh)
        for values in self.last.values():
            values[:] = 0

    def act(self, agent: Agent, environments: Environments, rng: torch.Generator, memory: Memory | None = None) -> Step:
        """One action in each environment; the memory, if there is one, takes it in."""
        seen = self.seen(environments)
        if memory is not None:
            memory.observe(seen)
        actions, outputs, self.carried = agent.act(_moved(seen, agent.device), self._carried(agent), rng)
        rewards = self.take(environments, as_arrays(actions), memory)
        return Step(outputs, actions, rewards, self.fresh)

    def take(
        self, environments: Environments, taken: ActionArrays, memory: Memory | None = None
    ) -> NDArray[np.float64]:
        """Take actions: the rewards in full. The memory, if there is one, has observed what they were chosen by."""
        rewards, self.fresh = environments.step(taken)
        if memory is not None:
            memory.add(taken, self.learned(rewards), self.fresh)
        if self.last:
            self._remember(taken, rewards)
        return rewards

    def ahead(self, agent: Agent, environments: Environments, rng: torch.Generator) -> Any:
        """The outputs of the step that comes next, which is not taken; without gradient."""
        with torch.no_grad():
            outputs, _ = agent.step(_moved(self.seen(environments), agent.device), self._carried(agent), rng)
        return outputs

    def learned(self, rewards: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rewards as they are learned from: cut to -1..1 if ``clip_rewards``, and 0 where an episode is void."""
        known = np.where(np.isnan(rewards), 0.0, rewards)
        return np.clip(known, -1, 1) if self.clip_rewards else known

    def seen(self, environments: Environments) -> Arrays:
        """What the agent sees now, each [B, ...]."""
        return {**environments.observe(), **self.last}

    def _carried(self, agent: Agent) -> Recurrent:
        """What the agent carries, emptied where an episode begins."""
        if not self.fresh.any():
            return self.carried
        return restarted(self.carried, torch.from_numpy(self.fresh).to(agent.device))

    def _remember(self, taken: ActionArrays, rewards: NDArray[np.float64]) -> None:
        going_on = ~self.fresh
        self.last[LAST_REWARD] = (self.learned(rewards) * going_on).astype(np.float32)
        for name, values in _named(taken).items():
            self.last[name] = values * going_on


def feedback(agent: Agent, actions: Actions) -> dict[str, Array]:
    """What an agent with feedback sees besides the environments' observations; nothing for others."""
    if not agent.feedback:
        return {}
    return {**{name: Array((), np.int64) for name in _named(actions.zeros())}, LAST_REWARD: Array((), np.float32)}


def _named(actions: ActionArrays) -> Arrays:
    if isinstance(actions, dict):
        return {f"{LAST_ACTION}.{name}": values for name, values in actions.items()}
    return {LAST_ACTION: actions}


def _moved(arrays: Arrays, device: torch.device) -> Observations:
    # Copies, also on the processor: environments write over theirs in the next step, and gradients need these.
    return {name: torch.from_numpy(array).to(device, copy=True) for name, array in arrays.items()}


def as_arrays(actions: ActionTensors) -> ActionArrays:
    """Actions as the environments take them: the one time in a step that the device is waited for."""
    if isinstance(actions, Tensor):
        return actions.cpu().numpy()
    return dict(zip(actions, torch.stack(list(actions.values())).cpu().numpy(), strict=True))
