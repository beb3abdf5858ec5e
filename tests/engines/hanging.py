"""Time limits that only an interval that hangs can reach, however slow the machine is."""

import os
import time
from functools import partial
from pathlib import Path

from waiting import LONG

from pbt_core.engines import leased, limited, pool, processes, ray
from pbt_core.engines.limited import LimitedBench
from pbt_core.engines.pool import Pool


def hang(folder):
    """Hang, in a worker, after a word to the clock of the engine."""
    Path(folder, f"hangs-{os.getpid()}").touch()
    time.sleep(LONG)


def only_what_hangs_takes_long(folder, monkeypatch):
    """While a process hangs the clock of limits gains more than ``LONG`` by every look at it. For engines of one worker."""
    gained = [0.0]

    def clock():
        gained[0] += 2 * LONG * any(map(_lives, Path(folder).glob("hangs-*")))
        return time.monotonic() + gained[0]

    for module in (limited, pool):
        monkeypatch.setattr(module, "LONGEST_WAIT", 0.02)
    for module in (processes, ray):
        monkeypatch.setattr(module, "Pool", partial(Pool, clock=clock))
    monkeypatch.setattr(leased, "LimitedBench", partial(LimitedBench, clock=clock))


def _lives(file):
    """Whether the process lives that has made the file."""
    return Path("/proc", file.name.partition("-")[2]).exists()
