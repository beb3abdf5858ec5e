"""Would waiting for stragglers cost much? A virtual clock says. Run: python examples/simulated.py"""

import tempfile
from pathlib import Path

from pbt_core import PBT, Cluster, IntervalTimes, Plan, RandomPreemptions, Simulated
from pbt_core.journal import sessions
from pbt_core.testing import Hill

# Eight workers, two of them half as fast; one interval in twenty takes ten times as long; a worker is lost every hour or so.
cluster = Cluster(
    speeds=(1.0,) * 6 + (0.5,) * 2,
    durations=IntervalTimes(per_step=30.0, spread=0.1, stragglers=0.05, slowdown=10),
    preemptions=RandomPreemptions(every=3600, away=300),
)

if __name__ == "__main__":
    for name, synchronous, staleness in (
        ("synchronous", True, None),
        ("at most 2 ahead", False, 2),
        ("free", False, None),
    ):
        plan = Plan(population=8, steps=200, interval=10, synchronous=synchronous)
        run = Simulated(cluster, staleness).run(Hill(), PBT(ready=20), plan, Path(tempfile.mkdtemp()))
        hours = sum(sessions(run.directory / "timing.jsonl").values()) / 3600
        print(f"{name}: best score {run.score:.2g} after {hours:.1f} virtual hours")
