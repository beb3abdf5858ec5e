"""What a run will cost, from what runs have cost before: on this machine, or those kept in results/reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reproductions.suite.results.rows import RunRow
from reproductions.suite.results.schemas import Summary
from reproductions.suite.study.inputs import InputError, read_model, read_rows
from reproductions.suite.study.names import RunName, finished


@dataclass(frozen=True)
class Cost:
    """The cost of one run, or the mean over several, and where the numbers come from."""

    cpu_s: float
    wall_s: float
    source: str

    @property
    def cores(self) -> int:
        """How many cores the run kept busy: part of one counts as one, as Snakemake hands out whole cores."""
        # Workers that wait for each other are never busy to the last per cent, and clocks are not exact.
        return max(1, math.ceil(self.cpu_s / self.wall_s - 0.1)) if self.wall_s > 0 else 1


@dataclass(frozen=True)
class Benchmark:
    """A finished run: what it was, how much it did and what that cost."""

    name: RunName
    member_steps: int
    cpu_s: float
    wall_s: float


class Costs:
    """Past runs by where they ran, such as ``{"here": [...], "reference": [...]}``: earlier sources are preferred."""

    def __init__(self, sources: dict[str, Sequence[Benchmark]]):
        self.sources = sources

    def of(self, name: RunName, budget: Callable[[], int | None]) -> Cost | None:
        """The expected cost of a run: the mean over the past runs most like it; None where no run of the domain is known.

        Runs of the same method and variant on the same problem, else of any method on the problem (methods are compared at
        equal compute), else the domain's cost of a member-step times ``budget()``, which is called only then. All are of the
        same scale.
        """
        for parts, likeness in ((4, "this method"), (2, "this problem")):
            for place, benchmarks in self.sources.items():
                if alike := [past for past in benchmarks if _begins_alike(past.name, name, parts)]:
                    return _scaled(alike, 1 / len(alike), f"{place}, {likeness}")
        for place, benchmarks in self.sources.items():
            alike = [past for past in benchmarks if _begins_alike(past.name, name, 1)]
            done = sum(past.member_steps for past in alike)
            if done and (steps := budget()) is not None:
                return _scaled(alike, steps / done, f"{place}, by member-steps")
        return None


def _begins_alike(a: RunName, b: RunName, parts: int) -> bool:
    """Whether the scale and the first ``parts`` of domain, problem, method and variant are equal."""
    return a.series[: 1 + parts] == b.series[: 1 + parts]


def _scaled(runs: Sequence[Benchmark], factor: float, source: str) -> Cost:
    return Cost(sum(run.cpu_s for run in runs) * factor, sum(run.wall_s for run in runs) * factor, source)


def wall_seconds(costs: Iterable[Cost], cores: int) -> float:
    """Seconds until runs of these costs are done on so many cores, as many side by side as there is room for.

    The work of all runs shared among the cores, but no less than the longest run takes.
    """
    costs = list(costs)
    longest = max((max(cost.wall_s, cost.cpu_s / cores) for cost in costs), default=0.0)
    return max(longest, sum(cost.wall_s * cost.cores for cost in costs) / cores)


def past_costs(results: Path, scale: str) -> Costs:
    """All past runs of a scale: those in ``results`` before those kept in ``results/reference``.

    InputError in one line for a file of theirs that is not valid.
    """
    local = [read_model(folder / "summary.json", Summary) for folder in finished(results, scale)]
    local = [run for run in local if run.execution is None or run.execution.engine != "simulated"]  # no real seconds
    table = results / "reference" / scale / "runs.csv"
    kept = read_rows(table, RunRow) if table.exists() else []
    for row in kept:
        if row.member_steps is None or row.cpu_s is None or row.wall_s is None:
            raise InputError(f"{table}: member_steps, cpu_s and wall_s are required in every row")
    return Costs({"here": [_benchmark(run) for run in local], "reference": [_benchmark(run) for run in kept]})


def _benchmark(run: Summary | RunRow) -> Benchmark:
    return Benchmark(RunName.of(run), int(run.member_steps or 0), float(run.cpu_s or 0), float(run.wall_s or 0))
