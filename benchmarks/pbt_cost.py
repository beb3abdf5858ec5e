"""What PBT costs over a bare loop: python benchmarks/pbt_cost.py [--out FILE] [--steps N ...] [--rounds N] [--instructions] ...

The work is the README's example: an MLP on scikit-learn's digits, population 8, batch 64. What a search costs it costs once an
interval, so the work is done with intervals of 50 steps (about 20 ms), 150 (60 ms) and 2,600 (1 s); ``--steps`` picks of these.
Contenders (``--contenders`` picks): the bare loop (train and evaluate, no search), two bare loops side by side (what two cores
of this machine give at all), our serial engine, our processes engine with 1 and with 2 workers (synchronous, and asynchronous
as in the paper), one leased worker, our engine on a Ray of two workers, and Ray Tune and Syne Tune if they are installed (``pip
install -c constraints.txt -e '.[peers]'``).

Each contender runs in a process of its own, one thread each, after a run of one interval that loads libraries and starts
servers (printed apart, as start-up). A second such run tells what every run begins with, such as actors that import torch
(printed as CPU to begin, less the bare loop's). It is taken off the work, off the bare loop's too: what is compared is what
intervals cost. CPU seconds are those of the whole process tree. Contenders take turns over the rounds and do short work
several times in each; the least wall and CPU time of all is printed, since whatever else the machine does can only add to it.
Peers, which take long, do the work once. What ``--out`` holds of other lengths stays there.

``--instructions`` counts instead of timing: the instructions of the bare loop and of the serial engine under valgrind's
cachegrind, which hardly depend on what else the machine does. valgrind knows no SHA instructions, which nearly all processors
have: it sees a checksum in some twenty times as many instructions as are executed without it. So checksums of as many
checkpoints are counted too, and the ratio is given with and without them.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reporting import keep, kept

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "examples"), str(ROOT / "benchmarks")]
PEERS = {"ray_tune": "ray", "syne_tune": "syne_tune"}
#: What other contenders need that may be missing.
NEEDS = {**PEERS, "our_ray_2": "ray"}
POPULATION = 8


@dataclass(frozen=True)
class Work:
    """So many intervals of each member, of so many steps each; members are ready every four intervals."""

    steps: int
    intervals: int

    @property
    def ready(self) -> int:
        """Steps after which a member is ready."""
        return 4 * self.steps


#: By the steps of an interval: the work that is measured, and how often a process does it.
WORKS = {50: (Work(50, 40), 3), 150: (Work(150, 20), 3), 2600: (Work(2600, 8), 1)}
#: What is counted is the difference between these works: start-up and imports fall out.
COUNTED = (Work(50, 4), Work(50, 12))


Contender = Callable[[Path, Work], None]


def bare(directory: Path, work: Work) -> None:
    """Train and evaluate all members in turn; nothing else."""
    from digits import Digits

    from pbt_core import Stream

    task, seed = Digits(), Stream(0)
    settings = [task.space.sample(seed.child("start", m).generator()) for m in range(POPULATION)]
    states = [task.init(seed.child("init", m), h) for m, h in enumerate(settings)]
    for t in range(work.intervals):
        for m, h in enumerate(settings):
            states[m] = task.step(states[m], h, work.steps, seed.child("step", m, t))
            task.evaluate(states[m], seed.child("evaluate", m, t))


def ours(engine: str, workers: int = 1, synchronous: bool = True) -> Contender:
    """The same work as a PBT run: checkpoints, record, exploit and explore."""

    def run(directory: Path, work: Work) -> None:
        from digits import Digits

        from pbt_core import PBT, Engine, Leased, Plan, Processes, Ray, Serial

        if engine == "ray":
            _join_ray(workers)
        engines: dict[str, Engine] = {
            "serial": Serial(),
            "processes": Processes(workers),
            "leased": Leased(),
            "ray": Ray(workers),
        }
        plan = Plan(POPULATION, work.intervals * work.steps, work.steps, synchronous=synchronous)
        engines[engine].run(Digits(), PBT(ready=work.ready), plan, directory)

    return run


def _join_ray(cpus: int) -> None:
    """A Ray that stays from one call to the next, as the peer's does: its start is not what is compared."""
    import ray

    if not ray.is_initialized():
        ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)


def peer(name: str) -> Contender:
    """The same work in another library's PBT."""

    def run(directory: Path, work: Work) -> None:
        importlib.import_module(f"peer_{name}").run(directory, POPULATION, work.intervals, work.steps, work.ready)

    return run


def checksums(directory: Path, work: Work) -> None:
    """The checksums of as many checkpoints as the serial engine writes, and nothing else."""
    import hashlib

    from digits import Digits

    from pbt_core import Stream
    from pbt_core.store import Store

    task = Digits()
    state = task.step(task.init(Stream(0), {}), {"lr": 1e-3, "weight_decay": 1e-3}, 1, Stream(0))
    store = Store(directory)
    content = (directory / store.save(0, 1, task.save(state), {}).filename).read_bytes()
    for _ in range(POPULATION * work.intervals):
        hashlib.sha256(content).digest()


CONTENDERS: dict[str, Contender] = {
    "bare": bare,
    "bare_2": bare,
    "serial": ours("serial"),
    "processes_1": ours("processes", 1),
    "processes_2": ours("processes", 2),
    "processes_2_async": ours("processes", 2, synchronous=False),
    "leased_1": ours("leased", synchronous=False),
    "our_ray_2": ours("ray", 2),
    **{name: peer(name) for name in PEERS},
}


class Meter:
    """Wall and CPU seconds of this process and all its descendants, from one call of ``lap`` to the next."""

    def __init__(self) -> None:
        import psutil

        self._root = psutil.Process()
        self._gone = psutil.Error
        self._seen: dict[tuple[int, float], float] = {}
        self._wall, self._cpu = time.perf_counter(), self._total()
        threading.Thread(target=self._watch, daemon=True).start()

    def lap(self) -> dict[str, float]:
        wall, cpu = time.perf_counter(), self._total()
        measured = {"wall_s": wall - self._wall, "cpu_s": cpu - self._cpu}
        self._wall, self._cpu = wall, cpu
        return measured

    def _watch(self) -> None:
        while True:
            time.sleep(0.1)
            self._total()

    def _total(self) -> float:
        for process in [self._root, *self._root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system
            except self._gone:
                continue
        return sum(self._seen.values())


def measure(name: str, work: Work, laps: int) -> None:
    """In a process of its own: start-up, then what a run begins with, then the work so many times; prints JSON."""
    from pbt_core.engines.base import limit_threads

    limit_threads(1)
    meter, contender = Meter(), CONTENDERS[name]
    with tempfile.TemporaryDirectory() as directory:
        begun = []
        for name_of_run in ("first", "second"):
            contender(Path(directory) / name_of_run, Work(work.steps, 1))
            begun.append(meter.lap())
        measured = []
        for number in range(1 if name in PEERS else laps):
            contender(Path(directory) / f"work-{number}", work)
            measured.append(meter.lap())
    print(json.dumps({"startup": begun[0], "begin": begun[1], "laps": measured}), flush=True)
    os._exit(0)  # servers that peers leave behind must not keep this process


def carry_out(name: str, work: Work) -> None:
    """The work, in this process; nothing is measured."""
    from pbt_core.engines.base import limit_threads

    limit_threads(1)
    with tempfile.TemporaryDirectory() as directory:
        COUNTABLE[name](Path(directory), work)


def side_by_side(name: str, steps: int, copies: int) -> list[dict[str, Any]]:
    """What ``measure`` tells of a contender, from so many processes at once."""
    command = [sys.executable, __file__, "--only", name, "--steps", str(steps)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(copies)]
    outputs = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise SystemExit(f"{name} failed")
    return [json.loads(output.splitlines()[-1]) for output in outputs]


COUNTABLE = {"bare": bare, "serial": CONTENDERS["serial"], "checksums": checksums}


def count(name: str) -> float:
    """Instructions an interval of one member."""
    counts = []
    for work in COUNTED:
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        command += [sys.executable, __file__, "--only", name, "--intervals", str(work.intervals)]
        # Hashes of texts would differ from process to process, and with them how often dictionaries are probed.
        result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"})
        counted = re.search(r"I +refs: +([\d,]+)", result.stderr)
        if result.returncode or counted is None:
            raise SystemExit(f"{name} failed under valgrind: {result.stderr[-300:]}")
        counts.append(int(counted[1].replace(",", "")))
    return (counts[1] - counts[0]) / (POPULATION * (COUNTED[1].intervals - COUNTED[0].intervals))


def report_instructions() -> dict[str, float]:
    """Count, and print what was counted."""
    if shutil.which("valgrind") is None:
        raise SystemExit("--instructions: valgrind is not installed (Debian, Ubuntu: apt-get install valgrind)")
    counts = {}
    for name in COUNTABLE:
        print(f"{name} ...", file=sys.stderr, flush=True)
        counts[name] = count(name)
        print(f"{name + ', instructions an interval':44} {counts[name]:14,.0f}", flush=True)
    ratio = counts["serial"] / counts["bare"]
    without = (counts["serial"] - counts["checksums"]) / counts["bare"]
    print(f"{'serial over bare':44} {ratio:14.4f}")
    print(f"{'serial over bare, checksums not counted':44} {without:14.4f}")
    counted = {f"{name}_instructions": round(value) for name, value in counts.items()}
    ratios = {"serial_over_bare_instructions": ratio, "serial_over_bare_instructions_without_checksums": without}
    return counted | {key: round(value, 4) for key, value in ratios.items()}


def toy(population: int) -> float:
    """Wall seconds of the toy's PBT run at a population, start-up not counted."""
    from pbt_core import Serial
    from reproductions.suite.study.settings import resolve

    settings = resolve("toy", "pbt", population=population)
    with tempfile.TemporaryDirectory() as directory:
        begun = time.perf_counter()
        Serial().run(settings.build_task(), settings.build_method(), settings.plan(), Path(directory))
        return time.perf_counter() - begun


def compare(steps: int, rounds: int, names: list[str]) -> dict[str, Any]:
    """Measure contenders with intervals of so many steps, and print a table; ratios, and what was measured."""
    measured: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number == 0 else [name for name in names if name not in PEERS]:
            print(f"{steps} steps, round {number + 1} of {rounds}: {name} ...", file=sys.stderr, flush=True)
            measured[name] += side_by_side(name, steps, 2 if name == "bare_2" else 1)

    def least(name: str, key: str) -> float:
        return float(min(lap[key] for process in measured[name] for lap in process["laps"])) - begin(name, key)

    def begin(name: str, key: str) -> float:
        return float(min(process["begin"][key] for process in measured[name]))

    def to_begin(name: str) -> float:
        return begin(name, "cpu_s") - begin("bare", "cpu_s")

    def ratio(key: str, over: str, under: str) -> float:
        return round(least(over, key) / least(under, key), 4)

    intervals = POPULATION * (WORKS[steps][0].intervals - 1)  # one was to begin with
    ratios = {"bare_ms_an_interval": round(1000 * least("bare", "cpu_s") / intervals, 3)}
    for name in (name for name in names if name not in ("bare", "bare_2")):
        ratios[f"{name}_over_bare_cpu"] = ratio("cpu_s", name, "bare")
        ratios[f"{name}_over_bare_wall"] = ratio("wall_s", name, "bare")
        ratios[f"{name}_cpu_s_to_begin"] = round(to_begin(name), 3)
    if "bare_2" in names:
        ratios["speedup_2_bare_loops"] = round(2 / ratio("wall_s", "bare_2", "bare"), 4)
    for name in ("processes_2", "processes_2_async"):
        if {name, "processes_1"} <= set(names):
            ratios[f"speedup_{name}"] = ratio("wall_s", "processes_1", name)
    columns = ("wall s", "CPU s", "start-up s", "CPU s to begin", "CPU / bare", "ms over bare an interval")
    print(f"{'contender':18}" + "".join(f"  {column}" for column in columns))
    for name in names:
        start = min(process["startup"]["wall_s"] for process in measured[name])
        over = 1000 * (least(name, "cpu_s") - least("bare", "cpu_s")) / intervals
        cells = (
            least(name, "wall_s"),
            least(name, "cpu_s"),
            start,
            to_begin(name),
            ratio("cpu_s", name, "bare"),
            over,
        )
        print(f"{name:18}" + "".join(f"  {cell:{len(column)}.3f}" for cell, column in zip(cells, columns, strict=True)))
    return {"ratios": ratios, "measured": measured}


def is_ours(report: dict[str, Any]) -> bool:
    """Whether a file's content is a report of this benchmark."""
    return set(report["measured"]) <= {f"{steps} steps an interval" for steps in WORKS}


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", choices=WORKS, default=list(WORKS), help="of an interval")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, help="the bare loop and these; default: all there are"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--instructions", action="store_true", help="count instructions (valgrind) instead of timing")
    parser.add_argument("--only", choices=CONTENDERS | COUNTABLE, help=argparse.SUPPRESS)
    parser.add_argument("--intervals", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.intervals:
        carry_out(arguments.only, Work(50, arguments.intervals))
        return
    if arguments.only:
        measure(arguments.only, *WORKS[arguments.steps[0]])
    if arguments.instructions:
        keep(report_instructions(), arguments.out)
        return
    there = [name for name in CONTENDERS if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    if missing := set(arguments.contenders or ()) - set(there):
        parser.error(
            f"--contenders: {min(missing)} needs {NEEDS[min(missing)]}: pip install -c constraints.txt -e '.[peers]'"
        )
    names = [name for name in there if name == "bare" or name in (arguments.contenders or there)]
    report = kept(arguments.out, is_ours, parser) or {"measured": {}}
    measured = report.pop("measured")
    for steps in arguments.steps:
        told = compare(steps, arguments.rounds, names)
        report[f"{steps} steps an interval"] = told["ratios"]
        measured[f"{steps} steps an interval"] = told["measured"]
        keep(report | {"measured": measured}, arguments.out)  # after each, since it takes long
    report |= {"toy_population_2_s": round(toy(2), 3), "toy_population_16_s": round(toy(16), 3)}
    print(json.dumps(report, indent=1))
    keep(report | {"measured": measured}, arguments.out)


if __name__ == "__main__":
    main()
