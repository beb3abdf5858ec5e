"""What a target of the workflow will cost before anything runs: its jobs, and what runs like them have cost before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reproductions.suite.planning.costs import Cost, Costs, wall_seconds
from reproductions.suite.planning.jobs import Job
from reproductions.suite.study import configuration, requested
from reproductions.suite.study.names import DEFAULT, RunName
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings, resolve

HEADER = ("domain", "problem", "method", "runs", "done", "to do", "CPU h", "wall h", "costs from", "why")


def settings_of(configfiles: Iterable[Path]) -> Callable[[RunName], Settings | None]:
    """The settings of a run, with the variants that the files name; None where they are unknown."""
    variants: dict[str, dict[str, Any]] = {}
    for path in configfiles:
        for name, settings in (configuration.read(path).get("variants") or {}).items():
            variants.setdefault(name, {}).update(settings)

    def of(run: RunName) -> Settings | None:
        if run.variant not in (DEFAULT, *variants):
            return None
        changes = requested.overrides(variants.get(run.variant, {}))
        try:
            return resolve(run.domain, run.method, 0, run.scale, run.variant, run.problem, changes)
        except ConfigError:  # such as a replay, whose schedule is not there yet
            return None

    return of


def budgets(configfiles: Iterable[Path]) -> Callable[[RunName], int | None]:
    """Member-steps of a run, with the variants that the files name; None where they are unknown."""
    settings = settings_of(configfiles)

    def of(run: RunName) -> int | None:
        resolved = settings(run)
        return None if resolved is None else resolved.population * resolved.steps

    return of


@dataclass(frozen=True)
class Line:
    """The runs of one method and variant on one problem; costs are those of the runs to do, None where unknown.

    ``name`` is that of the first of them.
    """

    name: RunName
    done: int
    costs: tuple[Cost | None, ...]
    why: Mapping[str, int]


def lines(planned: Iterable[Job], costs: Callable[[str], Costs], budget: Callable[[RunName], int | None]) -> list[Line]:
    """The runs among Snakemake's jobs, grouped. ``costs`` gives the past runs of a scale."""
    series: dict[tuple[str, ...], list[tuple[RunName, Job]]] = {}
    for job in planned:
        if (run := job.run) is not None:
            series.setdefault(run.series, []).append((run, job))
    grouped = []
    for runs in series.values():
        name, _ = runs[0]
        to_do = [job for _, job in runs if job.why]
        cost = costs(name.scale).of(name, partial(budget, name)) if to_do else None
        why = Counter(job.why for job in to_do)
        grouped.append(Line(name, len(runs) - len(to_do), (cost,) * len(to_do), why))
    return sorted(grouped, key=lambda line: line.name)


def table(planned: Sequence[Job], grouped: Sequence[Line], cores: int) -> str:
    """The forecast as aligned text, with totals; its last line says how many jobs are to do."""
    rows = [HEADER, *(_row(line, cores) for line in grouped)]
    costs = [cost for line in grouped for cost in line.costs]
    known = [cost for cost in costs if cost is not None]
    unknown = len(costs) - len(known)
    least = ">" if unknown and known else ""
    hours = ("unknown",) * 2 if unknown and not known else tuple(least + hours for hours in _hours(known, cores))
    done = sum(line.done for line in grouped)
    rows.append(("total", "", "", str(done + len(costs)), str(done), str(len(costs)), *hours, "", ""))
    printed = aligned(rows, range(3, 8))
    printed.append(f"wall h: on {cores} core{'s' * (cores != 1)}, runs side by side where there is room")
    if unknown:
        printed.append(f"the cost of {unknown} of the runs is unknown: no run like them was measured at this scale")
    if any("begun" in reason for line in grouped for reason in line.why):
        printed.append("unfinished runs go on where they stopped, but are counted in full")
    other_jobs = [job for job in planned if job.run is None and job.why]
    for rule, count in sorted(Counter(job.rule for job in other_jobs).items()):
        why = Counter(job.why for job in other_jobs if job.rule == rule)
        printed.append(f"and {count} job{'s' * (count != 1)} of rule {rule}, not measured: {_counted(why)}")
    to_do = sum(bool(job.why) for job in planned)
    printed.append(f"{to_do} of {len(planned)} jobs to do" if to_do else "nothing to be done")
    return "\n".join(printed)


def aligned(rows: Sequence[Sequence[str]], numbers: Container[int]) -> list[str]:
    """Rows as lines of text in columns; those of ``numbers`` end at the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i in numbers else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _row(line: Line, cores: int) -> tuple[str, ...]:
    known = [cost for cost in line.costs if cost is not None]
    counts = (str(line.done + len(line.costs)), str(line.done), str(len(line.costs)))
    if not line.costs:
        hours, source = ("", ""), ""
    elif known:
        hours, source = _hours(known, cores), known[0].source
    else:
        hours, source = ("unknown", "unknown"), ""
    name = line.name
    return (name.domain, name.problem, name.label, *counts, *hours, source, _counted(line.why))


def _hours(costs: Sequence[Cost], cores: int) -> tuple[str, str]:
    cpu, elapsed = sum(cost.cpu_s for cost in costs) / 3600, wall_seconds(costs, cores) / 3600
    return short(cpu), short(elapsed)


def short(hours: float) -> str:
    """Hours with the digits that matter."""
    return "<0.01" if 0 < hours < 0.01 else f"{hours:.2f}" if hours < 100 else f"{hours:.0f}"


def _counted(why: Mapping[str, int]) -> str:
    return "; ".join(f"{reason} ({count})" for reason, count in sorted(why.items()))
