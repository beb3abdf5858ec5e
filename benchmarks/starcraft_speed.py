"""Agent steps a CPU second on a mini-game: python benchmarks/starcraft_speed.py [--map NAME] [--size N] [--out FILE]

A member trains as the engines train it, with 32 games, unroll 20 and one thread:

* ``paper``: FullyConv with the widths of the mini-games' own paper (16 and 32 channels, 256);
* ``laptop``: FullyConv and everything else as at the laptop scale;
* ``lstm``: FullyConvLSTM with the paper's widths.

They take turns over the rounds, in one process; the fastest round of each is printed, since whatever else the machine does can
only slow it down. Shares are those of one more round: simulation (rules and layers), acting (with the graph kept), learning.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reporting import keep
from timing import Parts, fastest

sys.path.insert(0, str(Path(__file__).parent.parent))

from pbt_core import Plan, Stream
from pbt_core.engines.base import limit_threads
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.maps import MAPS
from reproductions.starcraft.sweep import SCALES
from reproductions.starcraft.task import StarCraft

SETTINGS = {"lr": 1e-3}
GAMES, UNROLL = 32, 20


def tasks(name: str, size: int) -> dict[str, StarCraft]:
    """The contenders by name."""
    common: dict[str, Any] = {"map": name, "size": size}
    fixed: dict[str, Any] = {**common, "batch": GAMES, "unroll": UNROLL}
    laptop: dict[str, Any] = {**SCALES["laptop"].task, **common}
    return {
        "paper": StarCraft(**fixed),
        "laptop": StarCraft(**{**laptop, "channels": tuple(laptop["channels"])}),
        "lstm": StarCraft(**fixed, agent="fully_conv_lstm"),
    }


def training(task: StarCraft) -> Callable[[int], None]:
    """A member's next interval, as the engines call it."""
    state, intervals = task.init(Stream(0), SETTINGS), itertools.count()

    def train(steps: int) -> None:
        task.step(state, SETTINGS, steps, Stream(next(intervals)))

    return train


def shares(task: StarCraft, steps: int) -> dict[str, float]:
    """Parts of a member's CPU time."""
    parts = Parts()
    state = task.init(Stream(0), SETTINGS)

    original = MiniGames.step, MiniGames.observe
    MiniGames.step, MiniGames.observe = (parts.timed("simulation", each) for each in original)  # type: ignore[method-assign]
    state.agent.act = parts.timed("acting", state.agent.act)  # type: ignore[method-assign]
    begun = time.process_time()
    try:
        task.step(state, SETTINGS, steps, Stream(1))
    finally:
        MiniGames.step, MiniGames.observe = original  # type: ignore[method-assign]
    return parts.shares(time.process_time() - begun)


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--map", choices=MAPS, default="MoveToBeacon")
    parser.add_argument("--size", type=int, choices=(16, 32, 64), default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3840)
    arguments = parser.parse_args()
    limit_threads(1)
    contenders = tasks(arguments.map, arguments.size)
    steps = arguments.steps
    for task in contenders.values():
        task.prepare(Plan(population=1, steps=steps, interval=steps))
    rates = fastest({name: training(task) for name, task in contenders.items()}, steps, arguments.rounds)
    report = {
        "map": arguments.map,
        "size": arguments.size,
        **{f"{name}_agent_steps_per_cpu_s": round(rate, 1) for name, rate in rates.items()},
        **{
            f"{name}_share_of_{part}": share
            for name, task in contenders.items()
            for part, share in shares(task, steps).items()
        },
    }
    print(json.dumps(report, indent=1))
    keep(report, arguments.out)


if __name__ == "__main__":
    main()
