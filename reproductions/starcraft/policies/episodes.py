"""Whole episodes of a policy on any environments with this domain's specification, simulated or real."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft.policies.player import Call, Player, Policy


def episodes(environments: Any, policy: Policy, number: int, seed: int) -> NDArray[np.float64]:
    """Returns of the first ``number`` episodes of each environment, [number, batch]. environments: as ``MiniGames``."""
    batch = environments.batch
    streams = np.random.default_rng(seed).spawn(batch)
    players = [Player(environments.functions, environments.size, stream) for stream in streams]
    environments.begin(seed)
    returns, played = np.zeros((number + 1, batch)), np.zeros(batch, np.int64)
    while (played < number).any():
        seen = environments.observe()
        calls = [
            policy(player, {name: array[game] for name, array in seen.items()}) for game, player in enumerate(players)
        ]
        rewards, ended = environments.step(rows(environments, calls))
        returns[np.minimum(played, number), np.arange(batch)] += rewards
        played += ended
        for game in np.flatnonzero(ended):
            players[game].memory.clear()
    return returns[:number]


def rows(environments: Any, calls: list[Call]) -> dict[str, NDArray[np.int64]]:
    """Calls by name as the parts of the environments' actions, int64 [batch] each."""
    parts = {name: np.zeros(len(calls), np.int64) for name in environments.actions.parts}
    for game, (name, arguments) in enumerate(calls):
        parts["function"][game] = environments.functions.index(name)
        for argument, value in arguments.items():
            parts[argument][game] = value
    return parts
