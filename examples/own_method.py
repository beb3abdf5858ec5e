"""A search method of your own: the worst quarter begins anew, with fresh draws. Run: python examples/own_method.py"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from pbt_core import Continue, Plan, Restart, Serial, Stop
from pbt_core.testing import Hill, check_method


@dataclass(frozen=True)
class Renewal:
    """A member in the worst ``share`` of the population restarts with a draw from the prior, until ``last`` of its steps."""

    share: float = 0.25
    last: int = 60

    def start(self, space, size, rng):
        return [space.sample(rng) for _ in range(size)]

    def decide(self, member, population, rng):
        if member.failed:
            return Restart(population.space.sample(rng)) if member.step <= self.last else Stop()
        ranked = population.ranked()  # best first
        worst = ranked[len(ranked) - int(self.share * len(ranked)) :]
        if member.step <= self.last and member.id in [other.id for other in worst]:
            return Restart(population.space.sample(rng))
        return Continue()


if __name__ == "__main__":
    check_method(Renewal())
    run = Serial().run(Hill(), Renewal(), Plan(population=8, steps=100, interval=10), Path(tempfile.mkdtemp()))
    print(f"member {run.best} scored {run.score:.2g} after {len(run.record.others('restarted'))} restarts")
