"""What training members as one program gains: python benchmarks/population_form.py [--out FILE] [--device D] [--scale S] ...

For each problem and number of members, member-steps a second by ``step_all`` and by ``step`` member after member: the two
take turns over the rounds in one process, and the fastest round of each counts. On the processor seconds are those of one
thread's CPU; on a card they are wall-clock, all work waited for, and TF32 is off. ``--scale paper`` has the paper's networks.
``--processes`` adds the same members shared out among so many processes that use one card at the same time, in wall-clock
from the first to begin to the last to end. What ``--out`` holds of other problems and scales on the same device stays there.

* ``classifier``, ``gan``, ``atari`` (Feudal Networks), ``starcraft``: at that scale; ``atari-lstm``: A3C's agent there;
* ``cart-pole``: a perceptron of 64 units on Gymnasium's.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import torch
from reporting import keep, kept

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
    "gan": (
        # The images that are at hand; nothing is scored.
        resolved("gan", "task.dataset=fashion_mnist", "task.classifier_epochs=0.05", "task.imagenet=false"),
        10,
    ),
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


class Members:
    """Some members of a problem, with values and draws of their own, and how many member-steps training them all is."""

    def __init__(self, task: Any, updates: int, numbers: Sequence[int]) -> None:
        self.task = task
        self.steps = updates * getattr(task, "batch", 1) * task.unroll if hasattr(task, "unroll") else updates
        self.seeds = [Stream(100).child(m) for m in numbers]
        self.values = [task.space.sample(seed.generator()) for seed in self.seeds]
        self.states = [task.init(seed, h) for seed, h in zip(self.seeds, self.values, strict=True)]
        self.total = self.steps * len(numbers)

    def alone(self) -> None:
        for state, h, seed in zip(self.states, self.values, self.seeds, strict=True):
            self.task.step(state, h, self.steps, seed)

    def together(self) -> None:
        self.task.step_all(self.states, self.values, self.steps, self.seeds)


def measured(task: Any, updates: int, members: int, rounds: int, clock: Clock) -> tuple[float, float]:
    """Member-steps a second one by one and together."""
    population = Members(task, updates, range(members))
    for call in (population.alone, population.together):  # what is loaded and cached at first use
        call()
    taken = [(clock.seconds(population.alone), clock.seconds(population.together)) for _ in range(rounds)]
    one, all_ = (population.total / min(each) for each in zip(*taken, strict=True))
    return one, all_


def in_this_process(figures: dict[str, float], task: Any, updates: int, members: int, rounds: int, device: str) -> None:
    """What is ``measured`` joins the figures of its problem."""
    card = device != "cpu"
    with acting_as(Worker(0, 1, (device,)) if card else None):
        if card:
            torch.cuda.reset_peak_memory_stats(device)
        one, all_ = measured(task, updates, members, rounds, Clock(device))
    print(f"{members} members: one by one {one:.4g} steps a second, together {all_:.4g}: {all_ / one:.2f} times")
    figures[f"{members} members one by one, member-steps a second"] = round(one, 1)
    figures[f"{members} members together, member-steps a second"] = round(all_, 1)
    if card:
        figures[f"{members} members together, GiB"] = round(torch.cuda.max_memory_allocated(device) / 2**30, 2)
        torch.cuda.empty_cache()


def shared(problem: str, scale: str, updates: int, members: int, processes: int, rounds: int, device: str) -> float:
    """Member-steps a second of processes that share the members and the card."""
    context = multiprocessing.get_context("spawn")
    together, times = context.Barrier(processes), context.Queue()
    parts = [range(place, members, processes) for place in range(processes)]
    arguments = [(problem, scale, updates, part, rounds, device, together, times) for part in parts]
    workers = [context.Process(target=part_of_the_card, args=each, daemon=True) for each in arguments]
    for worker in workers:
        worker.start()
    done = [times.get(timeout=600) for _ in workers]
    rounds_of_all = zip(*(spans for _, spans in done), strict=True)
    seconds = [max(end for _, end in spans) - min(begin for begin, _ in spans) for spans in rounds_of_all]
    return float(sum(total for total, _ in done) / min(seconds))


def part_of_the_card(
    problem: str,
    scale: str,
    updates: int,
    numbers: Sequence[int],
    rounds: int,
    device: str,
    together: Barrier,
    times: Queue[tuple[int, list[tuple[float, float]]]],
) -> None:
    """What one of the processes does: a round to begin with, then those that are timed, each with all others."""
    as_measured()
    with acting_as(Worker(0, 1, (device,))):
        members = Members(PROBLEMS[problem][0](scale), updates, numbers)
        members.alone()
        spans = []
        for _ in range(rounds):
            torch.cuda.synchronize()
            together.wait()
            begun = time.perf_counter()
            members.alone()
            torch.cuda.synchronize()
            spans.append((begun, time.perf_counter()))
    times.put((members.total, spans))


def as_measured() -> None:
    """One thread, and all digits of float32."""
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def main() -> None:
    """Measure each problem and number of members, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--device", default="cpu", help="cpu, or a card such as cuda:0")
    parser.add_argument("--scale", default="laptop", help="whose networks: smoke, laptop or paper")
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--members", nargs="+", type=int, default=list(MEMBERS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--updates", type=int, help="so many, whatever the problem")
    parser.add_argument("--processes", nargs="+", type=int, default=[], help="on a card: that share it")
    parser.add_argument("--no-together", action="store_true", help="measure the processes alone")
    a = parser.parse_args()
    card = a.device != "cpu"
    if a.processes and not card:
        parser.error(f"--processes {a.processes[0]} needs a card: --device cuda:0")
    as_measured()
    name = torch.cuda.get_device_name(a.device) if card else "cpu"
    here = {"device": name, "torch": torch.__version__}
    report = kept(a.out, lambda report: here.items() <= report.items(), parser) or dict(here)
    for problem in a.problems:
        make, updates = PROBLEMS[problem]
        updates = a.updates or updates
        task = make(a.scale)
        figures: dict[str, float] = report.setdefault(f"{problem}, {a.scale} scale", {})
        print(f"{problem}, {a.scale} scale, on {name}", flush=True)
        for members in a.members:
            if not a.no_together:
                in_this_process(figures, task, updates, members, a.rounds, a.device)
            for processes in a.processes:
                rate = shared(problem, a.scale, updates, members, processes, a.rounds, a.device)
                figures[f"{members} members by {processes} processes, member-steps a second"] = round(rate, 1)
                print(f"{members} members shared by {processes} processes: {rate:.4g} steps a second", flush=True)
        keep(report, a.out)


if __name__ == "__main__":
    main()
