"""A run that is struck: python run_one.py DIRECTORY ENGINE TASK MODE SECONDS-BY-WHICH-ITS-CLOCK-IS-WRONG LIMIT-OF-FILES.

Ends with 0 when the run is finished, with 3 and one line for an error that says what is wrong.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from tasks import TASKS

from pbt_core import PBT, Batched, CheckpointError, Leased, Plan, Processes, Ray, RunError, Serial
from pbt_core.schema import RecordError

ENGINES = {
    "serial": Serial(),
    "batched": Batched(),
    "processes": Processes(workers=2),
    "leased": Leased(lease=0.6),
    "leased-limited": Leased(lease=0.6, timeout=300.0),
    "ray": Ray(workers=2),
}
METHOD = PBT(ready=10)


def plan(mode: str) -> Plan:
    """Small enough for a trial of seconds."""
    return Plan(population=5, steps=80, interval=10, seed=9, synchronous=mode == "synchronous")


def main() -> int:
    """Run, or go on."""
    directory, engine, task, mode, wrong, limit = sys.argv[1:]
    right = time.time
    time.time = lambda: right() + float(wrong)  # type: ignore[assignment]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        ENGINES[engine].run(TASKS[task](), METHOD, plan(mode), Path(directory))
    except (RunError, RecordError, CheckpointError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
