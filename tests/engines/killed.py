"""Run as a program by the crash tests: python killed.py DIRECTORY ENGINE SYNCHRONOUS."""

import sys
from pathlib import Path

from slow import Slow

from pbt_core import PBT, Plan, Processes, Serial

if __name__ == "__main__":
    directory, engine, synchronous = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "sync"
    plan = Plan(population=5, steps=100, interval=10, seed=9, synchronous=synchronous)
    (Serial() if engine == "serial" else Processes(workers=2)).run(Slow(), PBT(ready=10), plan, directory)
