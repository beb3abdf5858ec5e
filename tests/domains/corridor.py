"""Environments that are understood at a glance, for tests of the reinforcement-learning layer."""

from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import torch

from pbt_core import Integer, LogUniform, Space
from reproductions.shared.rl.actor_critic import LstmActorCritic
from reproductions.shared.rl.agent import restarted
from reproductions.shared.rl.environments import Array, Discrete
from reproductions.shared.rl.interaction import feedback
from reproductions.shared.rl.networks import MixedPerception, Perception
from reproductions.shared.rl.returns import n_step_returns
from reproductions.shared.rl.task import ActorCriticTask

SPACE = Space({"lr": LogUniform(1e-4, 1e-2), "entropy_cost": LogUniform(1e-3, 1e-1), "unroll": Integer(2, 9)})


class Fleeting:
    """A pixel a place: action 1 goes right, action 0 left; the end of the corridor is worth a point. Cannot be saved.

    Where an episode begins is drawn, from the seed and what was drawn before.
    """

    actions = Discrete(2)
    observations = MappingProxyType({"pixels": Array((1, 24, 24), "uint8")})

    def __init__(self, batch, length=4):
        self.batch, self.length = batch, length
        self.places = np.zeros(batch, np.int64)
        self.begun, self.taken = [], 0

    def begin(self, seed):
        self.begun.append(seed)
        self.rng = np.random.default_rng(seed)
        self.places[:] = self.rng.integers(2, size=self.batch)

    def observe(self):
        seen = np.zeros((self.batch, 1, 24, 24), np.uint8)
        for index, place in enumerate(self.places):
            seen[index, 0, :, 4 * place : 4 * place + 4] = 255
        return {"pixels": seen}

    def step(self, actions):
        self.taken += self.batch
        self.places = np.maximum(self.places + 2 * actions - 1, 0)
        ended = self.places >= self.length
        self.places[ended] = self.starts(int(ended.sum()))
        return ended.astype(float), ended

    def starts(self, n):
        return self.rng.integers(2, size=n)


class Corridor(Fleeting):
    """The same, always from the beginning, and it can be saved."""

    def begin(self, seed):
        self.begun.append(seed)
        self.places[:] = 0

    def starts(self, n):
        return 0

    def save(self):
        return {"places": self.places.copy()}

    def load(self, arrays):
        self.places[:] = arrays["places"]


@dataclass(frozen=True, kw_only=True)
class Walk(ActorCriticTask):
    """A task on these: one set of environments a process, as domains have it."""

    batch: int = 4
    unroll: int = 5
    resumable: bool = True
    space: Space = field(default_factory=lambda: SPACE)

    def make_environments(self):
        key = (self.batch, self.resumable)
        if key not in SHARED:
            SHARED[key] = (Corridor if self.resumable else Fleeting)(self.batch)
        return SHARED[key]

    def make_agent(self, environments):
        return LstmActorCritic(Perception(1, 24, 16), environments.actions, 16)


#: The environments of this process.
SHARED = {}


def agent(seed=0, width=16):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LstmActorCritic(Perception(1, 24, width), Discrete(2), width)


class Recaller(LstmActorCritic):
    """Sees its last action and reward, and learns the value of what it remembers too, as UNREAL's value replay does."""

    feedback = True

    def __init__(self, environments, remembers=30, saves_memory=True):
        seen = {**environments.observations, **feedback(self, environments.actions)}
        super().__init__(MixedPerception(seen, 16), environments.actions, 16)
        self.remembers, self.saves_memory = remembers, saves_memory

    def auxiliary(self, memory, coefficients, rng):
        if not memory.holds(4):
            return torch.zeros((), device=self.device), {}
        drawn = memory.sequences(8, 4, rng, self.device)
        carried, values = self.initial(8), []
        for t, fresh in enumerate(drawn.fresh):
            seen = {name: array[t] for name, array in drawn.observations.items()}
            output, carried = self.step(seen, restarted(carried, fresh), torch.Generator())
            values.append(output.value)
        returns = n_step_returns(drawn.rewards, drawn.ended, values[-1], self.discount)
        loss = (returns - torch.stack(values[:-1])).square().mean()
        return loss, {"value_replay": loss.detach()}


@dataclass(frozen=True, kw_only=True)
class Recall(Walk):
    """The same walk with that agent."""

    saves_memory: bool = True

    def make_agent(self, environments):
        return Recaller(environments, saves_memory=self.saves_memory)
