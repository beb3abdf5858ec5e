"""An agent on an Atari game, tuned for the mean of its last episodic returns (the paper, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field

from pbt_core import Checkpoint, Hyperparameters, Plan, Score, Stream
from pbt_core.store import OWN
from pbt_core.torch import pack, seeded, unpack
from reproductions.atari.emulators import STACK, Emulators
from reproductions.atari.fun import Fun
from reproductions.atari.sweep import SPACE
from reproductions.shared.bounds import Count, Positive, Share
from reproductions.shared.rl.agent import LstmActorCritic
from reproductions.shared.rl.environments import Episodes
from reproductions.shared.rl.learner import Learner, train
from reproductions.suite.study.domain import DomainTask
from reproductions.suite.study.registry import ConfigError


@dataclass(frozen=True)
class Atari(DomainTask[Learner]):
    """A step is one of the agent (four frames) in one of the environments.

    game: which, by its ROM's name. agent: Feudal Networks, or A3C's LSTM agent, for which ``intrinsic_cost`` is without
    effect. size: of an observation in pixels. width, d, k, c: see ``Fun``. batch: environments. unroll: steps of each before
    an update. sticky: probability of a repeated action. random_goals: see ``Fun``. clip_rewards, clip_gradient: see
    ``train``. decay, epsilon: of RMSProp.
    """

    game: str = "ms_pacman"
    agent: Literal["fun", "lstm"] = "fun"
    size: Annotated[int, Field(ge=15)] = 42  # fewer pixels are less than the convolutions take
    width: Count = 128
    d: Count = 64
    k: Count = 16
    c: Count = 10
    batch: Count = 16
    unroll: Count = 20
    sticky: Share = 0.0
    random_goals: Share = 0.0
    clip_rewards: bool = True
    clip_gradient: Positive = 0.5
    decay: Share = 0.99
    epsilon: Positive = 1e-5
    space = SPACE

    def prepare(self, plan: Plan) -> None:
        """ConfigError if the game is not there, or if intervals are not whole numbers of rollouts."""
        try:
            _emulators(self.game, self.batch, self.size, self.sticky)
            Episodes.none(self.batch)
        except ValueError as error:
            raise ConfigError(f"task.{error}") from None
        rollout = self.batch * self.unroll
        for key, value in (("interval", plan.interval), ("steps", plan.steps)):
            if value % rollout:
                raise ConfigError(
                    f"{key} = {value} must be a multiple of task.batch * task.unroll = {rollout} agent steps"
                )

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> Learner:
        with seeded(seed):
            learner = self._fresh()
        environments = self._environments()
        environments.begin(seed.child("environments").integer())
        learner.environments = environments.save()
        return learner

    def step(self, state: Learner, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Learner:
        for group in state.optimizer.param_groups:
            group["lr"] = float(hyperparameters["lr"])
        coefficients = {name: float(hyperparameters[name]) for name in ("entropy_cost", "intrinsic_cost")}
        rng = torch.Generator().manual_seed(seed.integer())
        return train(
            state,
            self._environments(),
            coefficients,
            steps,
            self.unroll,
            rng,
            clip_rewards=self.clip_rewards,
            clip_gradient=self.clip_gradient,
        )

    def evaluate(self, state: Learner, seed: Stream) -> Score:
        """Mean raw return of the last episodes: one set selects, another is reported; no further play is needed."""
        value, samples, reported = state.episodes.scores()
        metrics = {**state.metrics, "episodes": float(state.episodes.finished)}
        return Score(value, samples=samples, held_out=reported, metrics=metrics)

    def save(self, state: Learner) -> Checkpoint:
        """Weights, optimiser, what is carried and the finished returns go to a child; running episodes do not."""
        packed = pack(model=state.agent, optimizer=state.optimizer)
        own = {**state.environments, "fresh": state.fresh, "running": state.episodes.running}
        carried = {f"carried.{name}": value.numpy() for name, value in state.carried.items()}
        told = {
            "selecting": list(state.episodes.selecting),
            "reporting": list(state.episodes.reporting),
            "finished": state.episodes.finished,
            "metrics": dict(state.metrics),
        }
        tensors = {**packed.tensors, **carried, **{OWN + name: np.array(array) for name, array in own.items()}}
        return Checkpoint(tensors, {**packed.json, **told})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> Learner:
        with seeded(Stream(0)):  # the weights are overwritten
            state = self._fresh()
        unpack(checkpoint, model=state.agent, optimizer=state.optimizer)
        own = _named(checkpoint.tensors, OWN)
        state.fresh, running = own.pop("fresh"), own.pop("running")
        state.environments = own
        state.carried = {name: torch.from_numpy(a) for name, a in _named(checkpoint.tensors, "carried.").items()}
        told = checkpoint.json
        state.episodes = Episodes(running, list(told["selecting"]), list(told["reporting"]), told["finished"])
        state.metrics = dict(told["metrics"])
        return state

    def _fresh(self) -> Learner:
        actions = self._environments().actions
        agent: Fun | LstmActorCritic
        if self.agent == "fun":
            agent = Fun(STACK, self.size, actions, self.width, self.d, self.k, self.c, random_goals=self.random_goals)
        else:
            agent = LstmActorCritic(STACK, self.size, actions, self.width)
        optimizer = torch.optim.RMSprop(agent.parameters(), lr=1.0, alpha=self.decay, eps=self.epsilon)
        episodes = Episodes.none(self.batch)
        return Learner(agent, optimizer, agent.initial(self.batch), np.ones(self.batch, np.bool_), episodes, {})

    def _environments(self) -> Emulators:
        return _emulators(self.game, self.batch, self.size, self.sticky)


@cache
def _emulators(game: str, batch: int, size: int, sticky: float) -> Emulators:
    """One set a process, which all its members use in turn: making one takes a second."""
    return Emulators(game, batch, size, sticky)


def _named(tensors: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Copies of the arrays whose names begin with ``prefix``, which is left off."""
    return {name.removeprefix(prefix): np.array(a) for name, a in tensors.items() if name.startswith(prefix)}


TASK = Atari
