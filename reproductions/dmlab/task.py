"""An UNREAL agent on a level of first-person navigation, tuned for the mean of its last episodic returns (section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pbt_core import Hyperparameters, Plan, Space, Stream
from reproductions.dmlab.episode import seen
from reproductions.dmlab.sweep import SPACE, WITH_PIXEL_CONTROL
from reproductions.dmlab.unreal import TASKS, Unreal
from reproductions.shared.assets import data_folder
from reproductions.shared.bounds import Count, Name, Pixels, check_memory, check_used, one_of
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import Discrete, Environments
from reproductions.shared.rl.learner import Learner
from reproductions.shared.rl.networks import Perception
from reproductions.shared.rl.task import ActorCriticTask
from reproductions.suite.study.registry import ConfigError

Engine = Literal["vizdoom", "deepmind_lab"]
Weight = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class DMLab(ActorCriticTask):
    """A step is one of the agent (four frames) in one of the environments.

    engine, level: which engine, and one of its levels. data: folder for what is made once. size: of a picture in pixels.
    width: of perception and LSTM. pixel_control, reward_prediction, value_replay: weights of the auxiliary losses; one of 0
    has no network. frames: in the replay memory, of all environments together. replays, replay_length: sequences from it for
    an update, and their steps. actions: of DeepMind Lab's action set. search_pixel_control: the weight of pixel control is a
    hyperparameter too, and ``pixel_control`` without effect.
    """

    level: Name = "seekavoid_arena"
    engine: Engine = "vizdoom"
    data: str = "data"
    size: Pixels = 42
    width: Count = 128
    pixel_control: Weight = 0.05
    reward_prediction: Weight = 1.0
    value_replay: Weight = 1.0
    frames: Count = 2000
    replays: Count = 4
    replay_length: Count = 20
    actions: Annotated[int, one_of(9, 15)] = 9
    search_pixel_control: bool = False
    clip_rewards: bool = False  # a goal is worth ten apples
    _sizes = ("size", "width")

    @property
    def space(self) -> Space:
        return WITH_PIXEL_CONTROL if self.search_pixel_control else SPACE

    def prepare(self, plan: Plan) -> None:
        """ConfigError if the level is not there, its data are damaged, or the memory is too small for a sequence."""
        if self.search_pixel_control and not self.pixel_control:
            raise ConfigError(
                "task.pixel_control = 0 leaves pixel control out: task.search_pixel_control = true must have it, of any weight"
            )
        if self.engine != "deepmind_lab":
            check_used(self, "actions", f"they are DeepMind Lab's, and task.engine = {self.engine!r} has its own")
        needed = self.replay_length + 1
        if self.tasks and self.frames // self.batch < needed:
            raise ConfigError(
                f"task.frames = {self.frames} must be at least {needed * self.batch}: sequences of task.replay_length = "
                f"{self.replay_length} steps and one more in each of task.batch = {self.batch} environments"
            )
        if self.tasks:
            check_memory(f"task.frames = {self.frames} of task.size = {self.size}", 3 * self.frames * self.size**2)
        with data_folder(self.data) as folder:
            if self.engine == "deepmind_lab":
                from reproductions.dmlab.lab_process import check

                try:
                    check(self.level, self.size, folder / "deepmind_lab" / "running")
                except ValueError as error:
                    raise ConfigError(f"task.{error}") from None
            super().prepare(plan)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The auxiliary tasks that weigh something."""
        return tuple(name for name in TASKS if getattr(self, name))

    def coefficients(self, hyperparameters: Hyperparameters) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.tasks} | super().coefficients(hyperparameters)

    def illustrate(self, state: Learner, seed: Stream) -> dict[str, NDArray[np.generic]]:
        """Views of an episode with the grid of pixel control; see ``episode.seen``."""
        assert isinstance(state.agent, Unreal)
        return seen(state.agent, self.make_environments(), seed, self.clip_rewards)

    def make_environments(self) -> Environments:
        return _environments(self.engine, self.level, self.batch, self.size, self.data, self.actions)

    def make_agent(self, environments: Environments) -> Agent:
        assert isinstance(environments.actions, Discrete), "all levels have one of n actions"
        return Unreal(
            Perception(3, self.size, self.width),
            environments.actions,
            self.width,
            self.size,
            self.tasks,
            self.frames // self.batch,
            self.replays,
            self.replay_length,
        )


@cache
def _environments(engine: Engine, level: str, batch: int, size: int, data: str, actions: int) -> Environments:
    """One set a process, which all its members use in turn: making one takes seconds."""
    if engine == "deepmind_lab":
        from reproductions.dmlab.lab_process import LabProcess

        folder = Path(data) / "deepmind_lab"
        return LabProcess(level, batch, size, folder / "running", folder / "levels", actions)
    from reproductions.dmlab.doom import Doom

    return Doom(level, batch, size, Path(data))


TASK = DMLab
