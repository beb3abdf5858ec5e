"""A task that can be sent, but not made again."""

from dataclasses import dataclass

from pbt_core.testing import Hill


def made():
    raise ValueError("not here")


@dataclass(frozen=True)
class Unmade(Hill):
    def __reduce__(self):
        return made, ()
