"""How the cost of the record grows: python benchmarks/growth.py [--largest N] [--out FILE]

Outcomes are made up at once, without training or checkpoints, so that what is left is the driver: decisions, record,
resumption, analysis. Each measurement runs in a process of its own and prints CPU seconds and the megabytes that the process
grew by at most.

decide: PBT with binary tournament, asynchronous, by number of members: microseconds of a decision with its scheduling and its
event (one an evaluation), and beside it those of recording an evaluation.
round: the same for synchronous rounds (PBT with truncation, ready after every second evaluation).
write, resume, export, read, table, lineage: seconds for a record of N evaluations of 100 members.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reporting import keep

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]
MEMBERS = 100
SIZES = (80, 1_000, 10_000)
EVALUATIONS = 40_000


def drive(folder: Path, members: int, intervals: int, synchronous: bool) -> tuple[float, float]:
    """A whole run without work; CPU seconds of all decisions with what leads to the next interval, and of all recording."""
    import numpy as np

    from pbt_core import PBT, BinaryTournament, Plan, Truncation
    from pbt_core.driver import Driver
    from pbt_core.store import Reference
    from pbt_core.testing import Hill
    from pbt_core.work import Done

    plan = Plan(members, 10 * intervals, 10, synchronous=synchronous)
    method = PBT(ready=20, exploit=Truncation()) if synchronous else PBT(ready=10, exploit=BinaryTournament())
    scores = np.random.default_rng(0).normal(size=members * intervals).tolist()
    driver = Driver(Hill(), method, plan, folder)
    timing = {"train_s": 0.0, "evaluate_s": 0.0, "save_s": 0.0, "cpu_s": 0.0}
    clock, deciding, recording = time.process_time, 0.0, 0.0
    while True:
        begun = clock()
        work = driver.next_work()
        deciding += clock() - begun
        if work is None:
            break
        score = {"score": scores.pop(), "samples": [], "held_out": 0.0, "metrics": {"loss": 0.5, "norm": 1.0}}
        reference = Reference(work.member, work.stop, f"{work.member:016x}{work.stop:016x}")
        begun = clock()
        driver.complete(Done(work, score, reference, timing))
        recording += clock() - begun
    driver.close()
    return deciding, recording


def measure(what: str, size: int, folder: Path) -> dict[str, Any]:
    """One measurement in this process."""
    from pbt_core import Lineage, Plan, Run
    from pbt_core.driver import Driver
    from pbt_core.events import read
    from pbt_core.testing import Hill

    record = folder / f"{size}"
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    measured: dict[str, Any] = {"what": what, "size": size}
    match what:
        case "decide" | "round":
            intervals = max(4, EVALUATIONS // size)
            deciding, recording = drive(folder / f"{what}-{size}", size, intervals, what == "round")
            measured["us"] = round(1e6 * deciding / (size * (intervals - 1)), 1)  # the last interval has no decision
            measured["record_us"] = round(1e6 * recording / (size * intervals), 1)
        case "write":
            drive(record, MEMBERS, size // MEMBERS, True)
        case "resume":
            from pbt_core import PBT

            Driver(Hill(), PBT(ready=20), Plan(MEMBERS, size // MEMBERS * 10, 10), record).close()
        case "export":
            Run(record).export(record)
        case "read":
            read(record / "events.parquet")
        case "table":
            Run.open(record).table()
        case "lineage":
            Lineage(read(record / "events.parquet")).to_json()
    measured["cpu_s"] = round(time.process_time() - begun, 2)
    measured["grew_mb"] = round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024)
    return measured


def main() -> None:
    """Measure everything, each in a process of its own, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=1_000_000, metavar="N", help="evaluations of the largest record")
    parser.add_argument("--out", type=Path, help="file to keep the numbers in (JSON)")
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "SIZE", "FOLDER"), help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.one:
        print(json.dumps(measure(a.one[0], int(a.one[1]), Path(a.one[2]))))
        return
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= a.largest]
        jobs = [("decide", size) for size in SIZES] + [("round", size) for size in SIZES]
        jobs += [(what, size) for size in sizes for what in ("write", "resume", "export", "read", "table", "lineage")]
        for what, size in jobs:
            command = [sys.executable, __file__, "--one", what, str(size), folder]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            cost = f"{row['cpu_s']:8.2f} CPU s"
            if "us" in row:
                cost = f"{row['us']:8.1f} us a decision, {row['record_us']:8.1f} us a record"
            print(f"{what:8} {size:9,} {cost}, {row['grew_mb']:5} MB", flush=True)
            results |= {
                f"{what}_{size}_{key}": float(row[key]) for key in ("us", "record_us", "cpu_s", "grew_mb") if key in row
            }
    keep(results, a.out)


if __name__ == "__main__":
    main()
