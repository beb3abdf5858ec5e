"""Scripted policies on the simulated mini-games, beside published scores: python benchmarks/starcraft_policies.py [--out FILE]

Every policy sees and acts through pysc2's specification alone. Ours is the mean return over whole episodes with its standard
deviation and range. Published are the real game's figures for the same or a like policy (Vinyals et al., 2017, table 1, where
nothing else is said). No constant of the simulation was fitted to them.
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

from reproductions.starcraft import policies
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.play_policies import episodes

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
    Case("FindAndDefeatZerglings", "search", scripted(policies.search), "45 (FullyConv), 46 (people)"),
    Case("CollectMineralsAndGas", "send_workers", scripted(policies.send_workers), "3320-3356 (agents' plateau)"),
    Case("BuildMarines", "train_marines", scripted(policies.train_marines), "138 (people), 133 (grandmaster)"),
)


def measured(case: Case, number: int, batch: int) -> dict[str, Any]:
    """One row of the table."""
    games = MiniGames(case.map, batch, case.size)
    began = time.process_time()
    returns = episodes(games, case.make(games), max(1, number // batch), seed=1)
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


def main() -> None:
    """Play, print the table, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", default="", help="cases whose map or policy contains this")
    asked = parser.parse_args()
    rows = []
    print("| map | policy | size | episodes | ours: mean | sd | range | published |\n|---|---|---|---|---|---|---|---|")
    for case in CASES:
        if asked.only.lower() not in f"{case.map} {case.policy}".lower():
            continue
        row = measured(case, asked.episodes, asked.batch)
        rows.append(row)
        shown = f"| {row['map']} | {row['policy']} | {row['size']} | {row['episodes']} | {row['mean']:.1f} | {row['sd']:.1f} "
        print(shown + f"| {row['least']:.0f} to {row['most']:.0f} | {row['published']} |", flush=True)
    keep({"rows": rows, "numpy": np.__version__}, asked.out)


if __name__ == "__main__":
    main()
