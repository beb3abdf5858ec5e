"""A task that can be sent, but not made again."""

from dataclasses import dataclass

from pbt_core.testing import Hill


def made(error):
    raise error("not here")


@dataclass(frozen=True)
class Unmade(Hill):
    error: type[BaseException] = ValueError

    def __reduce__(self):
        return made, (self.error,)
