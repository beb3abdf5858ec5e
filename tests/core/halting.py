"""Runs that are broken off after a number of events, as a killed driver leaves them."""

import pytest

from pbt_core import PBT, Plan, Serial
from pbt_core.testing import Hill

METHOD = PBT(ready=10)
PLAN = Plan(population=4, steps=60, interval=10, seed=3)


class Halt(Exception):
    pass


def halting(after):
    """An observer that leaves a run after so many events."""
    seen = []

    def observe(event):
        seen.append(event)
        if len(seen) == after:
            raise Halt

    return observe


def halted(folder, after, plan=PLAN):
    """A run that was left after so many events."""
    with pytest.raises(Halt):
        Serial().run(Hill(), METHOD, plan, folder, halting(after))
