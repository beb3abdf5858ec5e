"""How long runs would take on the workers of a cluster: their methods, driven by the real driver under a virtual clock."""

from __future__ import annotations

import contextlib
import heapq
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pbt_core import Checkpoint, Hyperparameters, Score, Simulated, Space, Stream
from pbt_core.journal import sessions
from reproductions.suite.planning.costs import Cost
from reproductions.suite.planning.forecast import Line, aligned, short
from reproductions.suite.running.clusters import ClusterFile
from reproductions.suite.study import registry
from reproductions.suite.study.names import RunName
from reproductions.suite.study.settings import Settings

HEADER = ("domain", "problem", "method", "to do", "workers a run", "at once", "h a run", "h")


@dataclass(frozen=True)
class Unknown:
    """A task of which nothing is known but its space: scores are noise, so that decisions fall as often as they may."""

    space: Space

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> int:
        """Steps so far: none."""
        return 0

    def step(self, state: int, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> int:
        """Steps so far."""
        return state + steps

    def evaluate(self, state: int, seed: Stream) -> Score:
        """A normal draw."""
        return Score(float(seed.generator().standard_normal()))

    def save(self, state: int) -> Checkpoint:
        """The number of steps."""
        return Checkpoint({}, {"steps": state})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> int:
        """The number of steps."""
        return int(checkpoint.json["steps"])


@dataclass(frozen=True)
class Forecast:
    """Virtual seconds of the runs of one line: of one run on the first workers, and of all of them.

    workers: of one run. at_once: how many runs there is room for.
    """

    workers: int
    at_once: int
    run_s: float
    all_s: float


def run_seconds(settings: Settings, cluster: ClusterFile, workers: range, per_step: float) -> float:
    """Virtual seconds of one run on these workers of the cluster, with made-up scores."""
    task = Unknown(registry.space(settings.domain, settings.problem, settings.task))
    engine = Simulated(cluster.cluster(per_step, workers))
    with tempfile.TemporaryDirectory() as folder:
        engine.run(task, settings.build_method(), settings.plan(), Path(folder))
        return sum(sessions(Path(folder) / "timing.jsonl").values())


def forecast(settings: Settings, cluster: ClusterFile, runs: int, cost: Cost | None) -> Forecast | None:
    """``runs`` like this one, each on as many workers as it has members, as many at once as there is room for.

    The seconds of a step are those of the file, else what runs have cost; None where neither is known. One run is simulated
    for each group of workers, and all runs on the same workers take as long.
    """
    if cluster.per_step is None and cost is None:
        return None
    per_step = 1.0 if cost is None else cost.cpu_s / (settings.population * settings.steps)
    total = len(cluster.speed_of_each)
    workers = min(total, settings.population)
    at_once = min(runs, total // workers)
    groups = [range(first * workers, (first + 1) * workers) for first in range(at_once)]
    alike: dict[object, float] = {}
    seconds = []
    for group in groups:
        part = cluster.cluster(per_step, group)
        if (key := (part.speeds, part.preemptions)) not in alike:
            alike[key] = run_seconds(settings, cluster, group, per_step)
        seconds.append(alike[key])
    return Forecast(workers, at_once, seconds[0], _one_after_another(runs, seconds))


def _one_after_another(runs: int, seconds: list[float]) -> float:
    """When the last of ``runs`` ends, each begun by the first group of workers that is free; ``seconds`` a run by group."""
    free = [(0.0, group) for group in range(len(seconds))]
    ends = 0.0
    for _ in range(runs):
        at, group = heapq.heappop(free)
        ends = max(ends, at + seconds[group])
        heapq.heappush(free, (at + seconds[group], group))
    return ends


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Within the block the core says nothing of scores, which are made up."""
    logger = logging.getLogger("pbt_core")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def table(lines: Iterable[Line], settings_of: Callable[[RunName], Settings | None], cluster: ClusterFile) -> str:
    """The forecast of every method with runs to do, as aligned text, with the total."""
    rows: list[tuple[str, ...]] = [HEADER]
    total, unknown = 0.0, 0
    for line in lines:
        if not (runs := len(line.costs)):
            continue
        settings = settings_of(line.name)
        with _without_warnings():
            expected = None if settings is None else forecast(settings, cluster, runs, line.costs[0])
        name = (line.name.domain, line.name.problem, line.name.label, str(runs))
        if expected is None:
            unknown += runs
            rows.append((*name, "", "", "unknown", "unknown"))
            continue
        total += expected.all_s
        hours = short(expected.run_s / 3600), short(expected.all_s / 3600)
        rows.append((*name, str(expected.workers), str(expected.at_once), *hours))
    rows.append(("total", "", "", "", "", "", "", (">" if unknown else "") + short(total / 3600)))
    printed = aligned(rows, range(3, 8))
    workers = len(cluster.speed_of_each)
    printed.append(
        f"simulated on {workers} worker{'s' * (workers != 1)}, one method after another, one draw of stragglers"
    )
    if unknown:
        why = "their settings are not known yet, or neither is the time of a step (per_step)"
        printed.append(f"unknown: {unknown} of the runs; {why}")
    return "\n".join(printed)
