"""The final evaluation of a policy: fresh episodes, each environment's share of them, with a cap that is told."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from pbt_core import Score, Stream
from reproductions.shared.rl.agent import Agent
from reproductions.shared.rl.environments import Environments
from reproductions.shared.rl.interaction import Interaction


@dataclass(frozen=True)
class Played:
    """returns: of each episode, the first environment's first. cut: how many were cut at the cap, or never began."""

    returns: tuple[float, ...]
    cut: int

    def score(self) -> Score:
        """The mean return (NaN if all were void), its samples, and how many episodes count and how many fell to the cap."""
        metrics = {"episodes": float(len(self.returns)), "cut_episodes": float(self.cut)}
        mean = sum(self.returns) / len(self.returns) if self.returns else math.nan
        return Score(mean, samples=self.returns, metrics=metrics)


def play(
    agent: Agent, environments: Environments, episodes: int, limit: int, seed: Stream, *, clip_rewards: bool
) -> Played:
    """Play at least ``episodes`` new episodes by the agent's own policy, actions drawn from it; nothing is learned.

    Each environment plays the first ceil(episodes / batch) of its own: of all environments together the first to finish
    would be the short ones, and so mostly the bad ones or the good ones. limit: steps of each environment at most. An
    episode that runs at the limit counts with what it has collected, and is told as cut, as are those that never began.
    clip_rewards: of an agent with feedback, as it was trained; returns are in full.
    """
    share = -(-episodes // environments.batch)
    environments.begin(seed.child("environments").integer())
    rng = torch.Generator(agent.device).manual_seed(seed.child("actions").integer())
    interaction = Interaction.beginning(agent, environments, clip_rewards)
    returns: list[list[float]] = [[] for _ in range(environments.batch)]
    running = [0.0] * environments.batch
    with torch.no_grad():
        for _ in range(limit):
            step = interaction.act(agent, environments, rng)
            for index, (reward, ended) in enumerate(zip(step.rewards.tolist(), step.ended.tolist(), strict=True)):
                running[index] += reward
                if ended:
                    if not math.isnan(running[index]):  # a void episode is played again
                        returns[index].append(running[index])
                    running[index] = 0.0
            if all(len(finished) >= share for finished in returns):
                break
    cut = 0
    for finished, collected, begun in zip(returns, running, ~interaction.fresh, strict=True):
        del finished[share:]
        cut += share - len(finished)
        if begun and len(finished) < share:
            finished.append(collected)
    return Played(tuple(value for finished in returns for value in finished), cut)
