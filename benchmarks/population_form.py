"""What training members as one program gains: python benchmarks/population_form.py [--out FILE] [--device D] [--scale S] ...

For each problem and number of members, member-steps a second by ``step_all`` and by ``step`` member after member: the two
take turns over the rounds in one process, and the fastest round of each counts. On the processor seconds are those of one
thread's CPU; on a card they are wall-clock, all work waited for, and TF32 is off. ``--scale paper`` has the paper's networks.

* ``classifier``, ``gan``, ``atari`` (Feudal Networks), ``starcraft``: at that scale; ``atari-lstm``: A3C's agent there;
* ``cart-pole``: a perceptron of 64 units on Gymnasium's.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from reporting import keep

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]

from pbt_core import Plan, Stream, Worker  # noqa: E402
from pbt_core.engines.worker import acting_as  # noqa: E402
from reproductions.shared.rl.gym import GymnasiumTask  # noqa: E402
from reproductions.suite.study.settings import resolve  # noqa: E402

MEMBERS = (1, 2, 4, 8, 16, 32)


def resolved(domain: str, *overrides: str) -> Callable[[str], Any]:
    """Makes the domain's task at a scale, with its data there."""

    def made(scale: str) -> Any:
        settings = resolve(domain, "pbt", scale=scale, overrides=list(overrides))
        task = settings.build_task()
        task.prepare(settings.plan())
        return task

    return made


def cart_pole(scale: str) -> Any:
    """The same at every scale."""
    task = GymnasiumTask()
    task.prepare(Plan(population=1, steps=task.batch, interval=task.batch))
    return task


#: How the task is made, and the updates that are timed; an actor-critic's are of ``batch`` times ``unroll`` steps each.
PROBLEMS: dict[str, tuple[Callable[[str], Any], int]] = {
    "classifier": (resolved("classifier"), 500),
    "gan": (resolved("gan", "task.classifier_epochs=1", "task.imagenet=false"), 10),  # nothing is scored
    "cart-pole": (cart_pole, 10),
    "atari": (resolved("atari"), 2),
    "atari-lstm": (resolved("atari", "task.agent=lstm"), 2),
    "starcraft": (resolved("starcraft"), 2),
}


class Clock:
    """Seconds of a call: of this process's CPU, or on a card wall-clock until all of its work is done."""

    def __init__(self, device: str) -> None:
        self.card = device != "cpu"

    def seconds(self, call: Callable[[], object]) -> float:
        begun = self._now()
        call()
        return self._now() - begun

    def _now(self) -> float:
        if not self.card:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def measured(task: Any, updates: int, members: int, rounds: int, clock: Clock) -> tuple[float, float]:
    """Member-steps a second one by one and together."""
    steps = updates * getattr(task, "batch", 1) * task.unroll if hasattr(task, "unroll") else updates
    seeds = [Stream(100).child(m) for m in range(members)]
    values = [task.space.sample(seed.generator()) for seed in seeds]
    states = [task.init(seed, h) for seed, h in zip(seeds, values, strict=True)]

    def alone() -> None:
        for state, h, seed in zip(states, values, seeds, strict=True):
            task.step(state, h, steps, seed)

    def together() -> None:
        task.step_all(states, values, steps, seeds)

    for call in (alone, together):  # what is loaded and cached at first use
        call()
    taken = [(clock.seconds(alone), clock.seconds(together)) for _ in range(rounds)]
    one, all_ = (members * steps / min(each) for each in zip(*taken, strict=True))
    return one, all_


def main() -> None:
    """Measure each problem and number of members, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu", help="cpu, or a card such as cuda:0")
    parser.add_argument("--scale", default="laptop", help="whose networks: smoke, laptop or paper")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--members", nargs="+", type=int, default=list(MEMBERS))
    parser.add_argument("--rounds", type=int, default=3)
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    card = a.device != "cpu"
    name = torch.cuda.get_device_name(a.device) if card else "cpu"
    report: dict[str, Any] = {"device": name, "torch": torch.__version__, "scale": a.scale}
    for problem in a.problems:
        make, updates = PROBLEMS[problem]
        task = make(a.scale)
        for members in a.members:
            with acting_as(Worker(0, 1, (a.device,)) if card else None):
                if card:
                    torch.cuda.reset_peak_memory_stats(a.device)
                one, all_ = measured(task, updates, members, a.rounds, Clock(a.device))
            key = f"{problem} {members} members"
            report[f"{key}, gain"] = round(all_ / one, 3)
            report[f"{key}, member-steps a second together"] = round(all_)
            print(
                f"{key}: one by one {one:.0f} steps a second, together {all_:.0f}: {all_ / one:.2f} times", flush=True
            )
            if card:
                report[f"{key}, GiB"] = round(torch.cuda.max_memory_allocated(a.device) / 2**30, 2)
    keep(report, a.out)


if __name__ == "__main__":
    main()
