"""Run as a program by the tests of leased workers: python leased_worker.py DIRECTORY [WRONG [PAUSE [GATE]]].

WRONG: seconds by which its clock is wrong. PAUSE: seconds of an interval. GATE: a file; no interval ends before it is
there.
"""

import sys
import time
from pathlib import Path

from slow import Slow

from pbt_core import PBT, Leased, Plan

PLAN = Plan(population=8, steps=100, interval=10, seed=9, synchronous=False)
#: A shorter one, for workers within the process of a test.
FREE = Plan(population=6, steps=70, interval=10, seed=3, synchronous=False)
METHOD = PBT(ready=10)
LEASE = 1.0


def stop_after(kind):
    """An observer that interrupts the run at the first event of this kind."""

    def observe(event):
        if event["event"] == kind:
            raise KeyboardInterrupt

    return observe


if __name__ == "__main__":
    if len(sys.argv) > 2:
        right, wrong = time.time, float(sys.argv[2])
        time.time = lambda: right() + wrong
    pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0.03
    gate = sys.argv[4] if len(sys.argv) > 4 else ""
    Leased(lease=LEASE).run(Slow(pause=pause, gate=gate), METHOD, PLAN, Path(sys.argv[1]))
