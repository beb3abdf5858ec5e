"""An agent on an Atari game, tuned for the mean of its last episodic returns (the paper, section 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from pbt_core import Plan
from reproductions.atari.emulators import STACK, Emulators
from reproductions.atari.fun import Fun
from reproductions.atari.sweep import SPACE
from reproductions.shared.bounds import Count, Name, Pixels, Share, check_used
from reproductions.shared.rl.actor_critic import LstmActorCritic
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import Environments
from reproductions.shared.rl.networks import Perception
from reproductions.shared.rl.task import ActorCriticTask


@dataclass(frozen=True, kw_only=True)
class Atari(ActorCriticTask):
    """A step is one of the agent (four frames) in one of the environments.

    game: which, by its ROM's name. agent: Feudal Networks, or A3C's LSTM agent, for which ``intrinsic_cost`` is without
    effect. size: of an observation in pixels. width, d, k, c: see ``Fun``. sticky: probability of a repeated action.
    random_goals: see ``Fun``.
    """

    game: Name = "ms_pacman"
    agent: Literal["fun", "lstm"] = "fun"
    size: Pixels = 42
    width: Count = 128
    d: Count = 64
    k: Count = 16
    c: Count = 10
    sticky: Share = 0.0
    random_goals: Share = 0.0
    space = SPACE
    _sizes = ("size", "width", "d", "k", "c")

    def prepare(self, plan: Plan) -> None:
        """ConfigError if there is no such game, or settings have no effect on the agent."""
        if self.agent != "fun":
            check_used(self, "random_goals", f"task.agent = {self.agent!r} has no goals")
        super().prepare(plan)

    def make_environments(self) -> Emulators:
        return self.own_environments(0)

    def own_environments(self, place: int) -> Emulators:
        return _emulators(self.game, self.batch, self.size, self.sticky, place)

    def make_agent(self, environments: Environments) -> Agent:
        perception, actions = Perception(STACK, self.size, self.width), environments.actions
        if self.agent == "lstm":
            return LstmActorCritic(perception, actions, self.width)
        return Fun(perception, actions, self.width, self.d, self.k, self.c, random_goals=self.random_goals)


@cache
def _emulators(game: str, batch: int, size: int, sticky: float, place: int) -> Emulators:
    """One set a process, which all its members use in turn, or one a place in a program: making one takes a second."""
    return Emulators(game, batch, size, sticky)


TASK = Atari
