"""What the simulated engine costs: python benchmarks/simulated_size.py [--members N] [--out FILE]

Ten intervals of N members on N workers under stragglers, asynchronous and synchronous, with PBT: of a task that trains (the
conformance kit's Hill) and of a table of 100 recorded curves. CPU seconds, each in a process of its own, and how many of them
the core spends on decisions and the record (as in growth.py: the same run without task, checkpoints and engine).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from growth import drive
from reporting import keep

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]
TASKS, MODES, INTERVALS = ("hill", "recorded"), ("asynchronous", "synchronous"), 10


def simulate(task_name: str, mode: str, members: int, folder: Path) -> float:
    """CPU seconds of one simulated run."""
    from baselines import RandomSearch
    from pbt_core import PBT, Cluster, IntervalTimes, Plan, RecordedCurves, Serial, Simulated, Task
    from pbt_core.testing import Hill

    task: Task[Any] = Hill()
    if task_name == "recorded":
        recorded = Serial().run(Hill(), RandomSearch(), Plan(100, 10 * INTERVALS, 10), folder / "recorded")
        task = RecordedCurves.of(recorded.record, Hill().space)
    plan = Plan(members, 10 * INTERVALS, 10, synchronous=mode == "synchronous")
    engine = Simulated(Cluster.of(members, IntervalTimes(spread=0.3, stragglers=0.05)))
    begun = time.process_time()
    engine.run(task, PBT(ready=20), plan, folder / "simulated")
    return time.process_time() - begun


def main() -> None:
    """Measure everything, each in a process of its own, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=10_000, metavar="N")
    parser.add_argument("--out", type=Path, help="file to keep the numbers in (JSON)")
    parser.add_argument("--one", nargs=3, metavar=("TASK", "MODE", "FOLDER"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        name, mode, folder = a.one
        if name == "core":
            spent = sum(drive(Path(folder) / "core", a.members, INTERVALS, mode == "synchronous"))
        else:
            spent = simulate(name, mode, a.members, Path(folder))
        print(json.dumps(round(spent, 2)))
        return
    results: dict[str, float] = {}
    for name in (*TASKS, "core"):
        for mode in MODES:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, __file__, "--members", str(a.members), "--one", name, mode, folder]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
            results[f"{name}_{mode}_cpu_s"] = seconds = json.loads(done.stdout)
            print(f"{name:9} {mode:13} {a.members:7,} members {seconds:8.2f} CPU s", flush=True)
    keep(results, a.out)


if __name__ == "__main__":
    main()
