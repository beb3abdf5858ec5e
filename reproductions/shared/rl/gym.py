"""Any Gymnasium environment as a problem: bring its id and a search space.

What is registered with gymnasium works by its id, also "module:Id-v0" for a module that registers it when it is imported.
Such environments cannot be saved, so each interval begins new episodes: let an interval hold many of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from numpy.typing import NDArray

from pbt_core import LogUniform, Space
from reproductions.shared.bounds import Count, Name
from reproductions.shared.rl.actor_critic import FeedForwardActorCritic, LstmActorCritic
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import ActionArrays, Actions, Array, Arrays, Composite, Discrete, Environments
from reproductions.shared.rl.networks import MixedPerception
from reproductions.shared.rl.task import ActorCriticTask

#: Around the usual values of advantage actor-critic (our choice).
SPACE = Space({"lr": LogUniform(1e-4, 1e-2), "entropy_cost": LogUniform(1e-4, 1e-1)})


class GymnasiumEnvironments:
    """``batch`` environments made by ``gymnasium.make(id, **options)``; see ``Environments`` for the contract.

    Observations: a Box of 8-bit whole numbers with two or three axes is a picture, uint8 [channels, height, width]; other
    boxes are flat float32 vectors; a Discrete one is a one-hot vector. A Dict gives each of its entries by its key, all
    else is named "pixels" or "vector". Actions: Discrete, and MultiDiscrete as a ``Composite`` of parts "0", "1", ...
    An episode that gymnasium truncates counts as ended. ValueError names the id and a space that is none of these.
    """

    def __init__(self, id: str, batch: int, options: Mapping[str, Any] | None = None) -> None:
        self.batch = batch
        try:
            # In the step that ends an episode the next begins: no action is ignored, and no step is without one.
            self._vector = SyncVectorEnv(
                [lambda: gymnasium.make(id, **(options or {}))] * batch, autoreset_mode=AutoresetMode.SAME_STEP
            )
        except (gymnasium.error.Error, ImportError, TypeError) as error:
            raise ValueError(f"id = {id!r}: gymnasium cannot make it: {error}") from error
        self.actions = _actions(id, self._vector.single_action_space)
        seen = self._vector.single_observation_space
        named = seen.spaces if isinstance(seen, spaces.Dict) else {None: seen}
        self._readers = [_Reader.of(id, key, space) for key, space in named.items()]
        self.observations = {reader.name: reader.array for reader in self._readers}
        self._starts = np.asarray(_starts(self._vector.single_action_space), np.int64)
        self._seen: Any = None

    def begin(self, seed: int) -> None:
        draws = np.random.default_rng(seed).integers(2**31, size=self.batch)  # gymnasium wants small ones of Python's
        self._seen, _ = self._vector.reset(seed=draws.tolist())

    def observe(self) -> Arrays:
        return {reader.name: reader.read(self._seen) for reader in self._readers}

    def step(self, actions: ActionArrays) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        chosen = np.stack(list(actions.values()), 1) if isinstance(actions, dict) else actions
        self._seen, rewards, terminated, truncated, _ = self._vector.step(chosen + self._starts)
        return np.asarray(rewards, np.float64), terminated | truncated

    def close(self) -> None:
        self._vector.close()


@dataclass(frozen=True)
class _Reader:
    """How one observation is taken from a batch of gymnasium's. key: its place in a Dict; None where there is no Dict."""

    key: Any
    name: str
    array: Array
    kind: str
    start: int = 0

    @classmethod
    def of(cls, id: str, key: Any, space: spaces.Space[Any]) -> _Reader:
        match space:
            case spaces.Box(dtype=np.uint8, shape=(height, width)):
                return cls(key, key or "pixels", Array((1, height, width), np.uint8), "grey")
            case spaces.Box(dtype=np.uint8, shape=(height, width, 1 | 3 | 4 as channels)):
                return cls(key, key or "pixels", Array((channels, height, width), np.uint8), "channels last")
            case spaces.Box(dtype=np.uint8, shape=(_, _, _)):
                return cls(key, key or "pixels", Array(space.shape, np.uint8), "channels first")
            case spaces.Box():
                return cls(key, key or "vector", Array((int(np.prod(space.shape)),), np.float32), "vector")
            case spaces.Discrete():
                return cls(key, key or "vector", Array((int(space.n),), np.float32), "one-hot", int(space.start))
        place = "" if key is None else f" of {key!r}"
        raise ValueError(
            f"id = {id!r}: its observation space{place}, {space}, must be a Box, Discrete or a Dict of these"
        )

    def read(self, seen: Any) -> NDArray[Any]:
        values = np.asarray(seen if self.key is None else seen[self.key])
        match self.kind:
            case "grey":
                return values[:, None]
            case "channels last":
                return np.ascontiguousarray(values.transpose(0, 3, 1, 2))
            case "channels first":
                return values
            case "one-hot":
                return np.eye(*self.array.shape, dtype=np.float32)[values - self.start]
        return values.reshape(len(values), -1).astype(np.float32)


def _actions(id: str, space: spaces.Space[Any]) -> Actions:
    match space:
        case spaces.Discrete():
            return Discrete(int(space.n))
        case spaces.MultiDiscrete(shape=(_,)):
            return Composite({str(i): Discrete(int(n)) for i, n in enumerate(space.nvec)})
    raise ValueError(f"id = {id!r}: its action space, {space}, must be Discrete or MultiDiscrete of one axis")


def _starts(space: Any) -> Any:
    """Gymnasium's number of our action 0."""
    return space.start


@dataclass(frozen=True, kw_only=True)
class GymnasiumTask(ActorCriticTask):
    """Advantage actor-critic on ``gymnasium.make(id, **options)``.

    space: must hold ``lr``; may hold ``entropy_cost`` (otherwise the setting counts) and ``unroll``. width: of the network.
    recurrent: with an LSTM, for what cannot be seen at once. discount: of rewards, a step.
    """

    id: Name = "CartPole-v1"
    space: Space = field(default_factory=lambda: SPACE)
    options: Mapping[str, Any] = field(default_factory=dict)
    width: Count = 64
    recurrent: bool = False
    discount: float = 0.99
    entropy_cost: float = 0.01
    _sizes = ("width",)

    def coefficients(self, hyperparameters: Mapping[str, Any]) -> dict[str, float]:
        return {"entropy_cost": self.entropy_cost, **super().coefficients(hyperparameters)}

    def make_environments(self) -> Environments:
        return self.own_environments(0)

    def own_environments(self, place: int) -> Environments:
        return _environments(self.id, self.batch, json.dumps(dict(self.options), sort_keys=True), place)

    def make_agent(self, environments: Environments) -> Agent:
        perception = MixedPerception(environments.observations, self.width)
        kind = LstmActorCritic if self.recurrent else FeedForwardActorCritic
        return kind(perception, environments.actions, self.width, self.discount)


@cache
def _environments(id: str, batch: int, options: str, place: int) -> GymnasiumEnvironments:
    """One set a process, which all its members use in turn, or one a place in a program."""
    return GymnasiumEnvironments(id, batch, json.loads(options))
