"""An A3C agent on a mini-game of StarCraft II, tuned for the mean of its last episodic returns (the paper, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from pbt_core import Hyperparameters, Plan, Space, Stream
from reproductions.shared.bounds import Count, Few, Name, Share, check_used, one_of
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import Composite, Environments
from reproductions.shared.rl.learner import Learner
from reproductions.shared.rl.task import ActorCriticTask
from reproductions.starcraft.agents import AGENTS
from reproductions.starcraft.episode import seen
from reproductions.starcraft.maps import mini_game
from reproductions.starcraft.sweep import SPACE, SPACE_WITH_ENTROPY_COST
from reproductions.suite.study.registry import ConfigError

#: Of Adam's first moment.
_MOMENTUM = 0.9
Engine = Literal["simulation", "pysc2"]


@dataclass(frozen=True, kw_only=True)
class StarCraft(ActorCriticTask):
    """A step is one of the agent (``step_mul`` game loops) in one of the environments.

    engine, map: the simulation or the game through pysc2, and one of the seven mini-games. size: cells of an edge of screen
    and minimap. agent, channels, width, whole_minimap: see ``agents``. discount: of rewards, a step. entropy_cost: weight of
    the entropy bonus, a setting as in the paper, unless tune_entropy_cost makes it a second hyperparameter. clip_rewards: not
    by default, since a dead roach is worth ten marines.
    """

    map: Name = "MoveToBeacon"
    engine: Engine = "simulation"
    size: Annotated[int, one_of(16, 32, 64)] = 16
    step_mul: Count = 8
    agent: Literal["fully_conv", "fully_conv_lstm"] = "fully_conv"
    channels: tuple[Count, Count] = (16, 32)
    width: Count = 256
    whole_minimap: bool = False
    discount: Share = 0.99
    entropy_cost: Annotated[float, Field(ge=0)] = 1e-3
    tune_entropy_cost: bool = False
    optimizer: Literal["rmsprop", "adam"] = "rmsprop"
    batch: Few = 32
    clip_rewards: bool = False
    _sizes = ("size", "channels", "width")

    @property
    def space(self) -> Space:
        return SPACE_WITH_ENTROPY_COST if self.tune_entropy_cost else SPACE

    def prepare(self, plan: Plan) -> None:
        """ConfigError if the map is unknown, or the game is not there or does not begin.

        Compiles the simulation, which all workers share.
        """
        if self.tune_entropy_cost:
            check_used(self, "entropy_cost", "task.tune_entropy_cost = true makes it a hyperparameter")
        try:
            mini_game(self.map)
        except ValueError as error:
            raise ConfigError(f"task.{error}") from None
        if self.engine == "pysc2":
            from reproductions.starcraft.pysc2_adapter import check, missing

            if (lacking := missing(self.map)) is not None:
                raise ConfigError(f"task.engine = 'pysc2' on task.map = {self.map!r} needs {lacking}")
            try:
                check(self.map, self.size, self.step_mul)
            except ValueError as error:
                raise ConfigError(f"task.engine = 'pysc2', task.{error}") from None
        super().prepare(plan)
        if self.engine == "simulation":
            environments = self.make_environments()
            environments.begin(0)
            environments.observe()
            environments.step(environments.actions.zeros(self.batch))

    def make_optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        if self.optimizer == "rmsprop":
            return super().make_optimizer(parameters)
        return torch.optim.Adam(parameters, lr=1.0, betas=(_MOMENTUM, self.decay), eps=self.epsilon)

    def coefficients(self, hyperparameters: Hyperparameters) -> dict[str, float]:
        return {"entropy_cost": self.entropy_cost, **super().coefficients(hyperparameters)}

    def illustrate(self, state: Learner, seed: Stream) -> dict[str, NDArray[np.generic]] | None:
        """Frames of an episode with the spatial policy over them; of the simulation alone. See ``episode.seen``."""
        if self.engine != "simulation":
            return None
        return seen(state.agent, self.make_environments(), seed)

    def make_environments(self) -> Environments:
        return _environments(self.engine, self.map, self.batch, self.size, self.step_mul, 0)

    def own_environments(self, place: int) -> Environments | None:
        """Of the simulation, whose games are arrays; the game itself runs once a process."""
        if self.engine != "simulation":
            return None
        return _environments(self.engine, self.map, self.batch, self.size, self.step_mul, place)

    def make_agent(self, environments: Environments) -> Agent:
        assert isinstance(environments.actions, Composite), "an action is a function and its arguments"
        return AGENTS[self.agent](
            mini_game(self.map),
            environments.actions,
            self.size,
            self.channels,
            self.width,
            self.discount,
            self.whole_minimap,
        )


@cache
def _environments(engine: Engine, name: str, batch: int, size: int, step_mul: int, place: int) -> Environments:
    """One set a process, which all its members use in turn: the game takes long to start. Or one a place in a program."""
    if engine == "pysc2":
        from reproductions.starcraft.pysc2_adapter import RealMiniGames

        return RealMiniGames(name, batch, size, step_mul)
    from reproductions.starcraft.environments import MiniGames

    return MiniGames(name, batch, size, step_mul)


TASK = StarCraft
