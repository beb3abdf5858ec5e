"""What training members as one program gains: python benchmarks/population_form.py [--out FILE] [--device D] [--rounds N]

The classifier at its laptop scale: the seconds that ``step_all`` takes for so many members over those of ``step`` for each,
side by side in one process, 500 steps a member, the least of the rounds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from reporting import keep

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from pbt_core import Stream, Worker  # noqa: E402
from pbt_core.engines.worker import acting_as  # noqa: E402
from reproductions.suite.study.settings import resolve  # noqa: E402

MEMBERS = (1, 2, 4, 8, 16, 32, 64)
STEPS = 500


def seconds(call: Callable[[], object], rounds: int) -> float:
    """The least wall-clock seconds of a call."""
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def main() -> None:
    """Measure each number of members, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu", help="cpu or cuda:0")
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    torch.set_num_threads(1)
    settings = resolve("classifier", "pbt")
    task = settings.build_task()
    task.prepare(settings.plan())
    measured = {}
    with acting_as(None if a.device == "cpu" else Worker(0, 1, (a.device,))):
        for members in MEMBERS:
            seeds = [Stream(100).child(m) for m in range(members)]
            values = [task.space.sample(seed.generator()) for seed in seeds]
            states = [task.init(seed, h) for seed, h in zip(seeds, values, strict=True)]

            def alone(states=states, values=values, seeds=seeds) -> None:
                for state, h, seed in zip(states, values, seeds, strict=True):
                    task.step(state, h, STEPS, seed)

            def together(states=states, values=values, seeds=seeds) -> None:
                task.step_all(states, values, STEPS, seeds)

            for call in (alone, together):  # what is loaded and cached at first use
                call()
            one, all_ = seconds(alone, a.rounds), seconds(together, a.rounds)
            measured[f"classifier {members} members, gain"] = round(one / all_, 3)
            measured[f"classifier {members} members, member-steps a second together"] = round(members * STEPS / all_)
            print(f"{members} members: one by one {one:.3f} s, together {all_:.3f} s: {one / all_:.2f} times as fast")
    keep({"device": a.device, **measured}, a.out)


if __name__ == "__main__":
    main()
