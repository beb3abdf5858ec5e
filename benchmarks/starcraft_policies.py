"""Scripted policies on the simulated mini-games, beside published scores: python benchmarks/starcraft_policies.py [--out FILE]

Every policy sees and acts through pysc2's specification alone. Ours is the mean return over whole episodes with its standard
deviation and range. Published are the real game's figures for the same or a like policy (Vinyals et al., 2017, table 1, where
nothing else is said). No constant of the simulation was fitted to them.

``--speed`` measures agent steps a CPU second instead: 32 games of random play, with everything that is seen, actions drawn
beforehand.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from reporting import keep

sys.path.insert(0, str(Path(__file__).parent.parent))

from reproductions.starcraft import kinds, policies
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.simulation.state import MOVE

Chosen = Callable[[MiniGames], policies.Policy]


@dataclass(frozen=True)
class Case:
    """A policy on a map. published: the figure to compare with, as text with its source."""

    map: str
    policy: str
    make: Chosen
    published: str
    size: int = 64


def scripted(policy: policies.Policy) -> Chosen:
    """A policy that needs to know nothing of the games."""
    return lambda games: policy


def random_play(games: MiniGames) -> policies.Policy:
    """Random play over the actions of the games."""
    return policies.random_play(games.actions)


RANDOM = {
    "MoveToBeacon": "1 (max 6)",
    "CollectMineralShards": "17 (max 35)",
    "DefeatRoaches": "1 (max 46)",
    "DefeatZerglingsAndBanelings": "23 (max 118)",
    "FindAndDefeatZerglings": "4 (max 19)",
    "CollectMineralsAndGas": "12 (max 750)",
    "BuildMarines": "<1 (max 5)",
}
CASES = (
    *(Case(name, "random", random_play, published) for name, published in RANDOM.items()),
    Case("MoveToBeacon", "to_beacon", scripted(policies.to_beacon), "26 (agents and people)"),
    Case("MoveToBeacon", "to_beacon", scripted(policies.to_beacon), "26 (agents and people)", size=16),
    Case("CollectMineralShards", "shards_together", scripted(policies.shards_together), "103 (FullyConv)"),
    Case("CollectMineralShards", "shards_apart", scripted(policies.shards_apart), "177 (grandmaster), 133 (people)"),
    Case("DefeatRoaches", "lowest_enemy", scripted(policies.lowest_enemy), "97 (max 345; pysc2's scripted agent)"),
    Case("DefeatRoaches", "middle_of_enemies", scripted(policies.middle_of_enemies), "none"),
    Case("DefeatZerglingsAndBanelings", "middle_of_enemies", scripted(policies.middle_of_enemies), "62 (FullyConv)"),
    Case("DefeatZerglingsAndBanelings", "lowest_enemy", scripted(policies.lowest_enemy), "62 (FullyConv)"),
    Case("DefeatZerglingsAndBanelings", "bait", scripted(policies.bait), "96 (FullyConvLSTM), 729 (people)"),
    Case("FindAndDefeatZerglings", "search", scripted(policies.search), "45 (FullyConv), 46 (people)"),
    Case("CollectMineralsAndGas", "send_workers", scripted(policies.send_workers), "3320-3356 (agents' plateau)"),
    Case("CollectMineralsAndGas", "grow_economy", scripted(policies.grow_economy), "6880 (people), 7566 (grandmaster)"),
    Case("BuildMarines", "train_marines", scripted(policies.train_marines), "138 (people), 133 (grandmaster)"),
)


def measured(case: Case, number: int, batch: int) -> dict[str, Any]:
    """One row of the table."""
    games = MiniGames(case.map, batch, case.size)
    began = time.process_time()
    returns = policies.episodes(games, case.make(games), max(1, number // batch), seed=1)
    return {
        "map": case.map,
        "policy": case.policy,
        "size": case.size,
        "episodes": int(returns.size),
        "mean": float(returns.mean()),
        "sd": float(returns.std()),
        "least": float(returns.min()),
        "most": float(returns.max()),
        "published": case.published,
        "cpu_s": time.process_time() - began,
    }


def ordered_each_step(number: int, batch: int) -> dict[str, Any]:
    """CollectMineralShards with both marines ordered to their nearest shards in each step, which no player can do.

    The interface lets a player order one selection a step; this is what the map's rules alone allow.
    """
    games = MiniGames("CollectMineralShards", batch, 16)
    games.begin(1)
    idle = policies.rows(games, [policies.NOTHING] * batch)
    totals = []
    for _ in range(max(1, number // batch)):
        total, ended = np.zeros(batch), np.zeros(batch, np.bool_)
        while not ended.any():
            for units in games.units:
                _order_marines(units)
            rewards, ended = games.step(idle)
            total += rewards
        totals.append(total)
    returns = np.array(totals)
    return {
        "map": "CollectMineralShards",
        "policy": "both marines ordered each step",
        "size": 16,
        "episodes": int(returns.size),
        "mean": float(returns.mean()),
        "sd": float(returns.std()),
        "least": float(returns.min()),
        "most": float(returns.max()),
        "published": "177 (grandmaster), 196 (ReDRL, by Reaver's README)",
    }


def _order_marines(units: Any) -> None:
    shards, taken = units[units["kind"] == kinds.SHARD], -1
    for marine in np.flatnonzero(units["kind"] == kinds.MARINE):
        away = np.hypot(shards["x"] - units["x"][marine], shards["y"] - units["y"][marine])
        if taken >= 0 and len(shards) > 1:
            away[taken] = np.inf
        taken = int(away.argmin())
        units["order"][marine] = MOVE
        units["order_x"][marine], units["order_y"][marine] = shards["x"][taken], shards["y"][taken]


def speed(name: str, size: int, steps: int = 240, batch: int = 32) -> float:
    """Agent steps a CPU second of random play."""
    games = MiniGames(name, batch, size)
    play, rng = policies.random_play(games.actions), np.random.default_rng(0)
    players = [policies.Player(games.functions, size, stream) for stream in rng.spawn(batch)]
    games.begin(0)
    spent = 0.0
    for step in range(steps + 1):
        seen = games.observe()
        actions = policies.rows(
            games,
            [play(player, {key: array[game] for key, array in seen.items()}) for game, player in enumerate(players)],
        )
        began = time.process_time()
        games.step(actions)
        games.observe()
        spent += time.process_time() - began if step else 0.0  # the first compiles
    return steps * batch / spent


def main() -> None:
    """Play, print the table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--only", default="", help="cases whose map or policy contains this")
    asked = parser.parse_args()
    if asked.speed:
        print("| map | 16 | 32 | 64 |\n|---|---|---|---|")
        speeds = {name: [speed(name, size) for size in (16, 32, 64)] for name in RANDOM}
        for name, values in speeds.items():
            print(f"| {name} | {' | '.join(f'{value:,.0f}' for value in values)} |")
        keep({"steps_a_cpu_second": speeds}, asked.out)
        return
    table = []
    print("| map | policy | size | episodes | ours: mean | sd | range | published |\n|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if asked.only.lower() in f"{case.map} {case.policy}".lower():
            table.append(measured(case, asked.episodes, asked.batch))
            show(table[-1])
    if asked.only.lower() in "collectmineralshards both marines ordered each step":
        table.append(ordered_each_step(asked.episodes, asked.batch))
        show(table[-1])
    keep({"rows": table, "numpy": np.__version__}, asked.out)


def show(row: dict[str, Any]) -> None:
    """One line of the table."""
    shown = (
        f"| {row['map']} | {row['policy']} | {row['size']} | {row['episodes']} | {row['mean']:.1f} | {row['sd']:.1f} "
    )
    print(shown + f"| {row['least']:.0f} to {row['most']:.0f} | {row['published']} |", flush=True)


if __name__ == "__main__":
    main()
