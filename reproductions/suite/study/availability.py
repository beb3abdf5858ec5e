"""Of the runs that a configuration asks for, those that this machine can make, or that were made already.

A target of many runs is made without those that cannot run here, and one line for each requirement says what is left out.
A target of which nothing can be made is an error. A run that this machine plans and another one makes is checked there,
when it begins.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

from reproductions.suite.study.names import RunName
from reproductions.suite.study.requested import RequestedRuns, replayed
from reproductions.suite.study.requirements import missing, require

#: How a line that says what is left out begins.
LEFT_OUT = "left out: "
#: What a run lacks that is not there and is not to be made.
NOT_MADE = "runs that are not there: config.runs is 'finished'"


class Availability:
    """What can be made of a configuration's experiments. Each is checked first: see ``RequestedRuns.check``.

    ``results`` is the folder that runs are kept in. ``assume``: as if all requirements were met. ``say`` prints a line.
    ``finished_only``: nothing can be made, only what was made already is there.
    """

    def __init__(
        self,
        requested: RequestedRuns,
        results: Path,
        assume: bool = False,
        say: Callable[[str], None] = lambda line: print(line, file=sys.stderr),
        finished_only: bool = False,
    ) -> None:
        self._requested, self._results, self._assume, self._say = requested, results, assume, say
        self.finished_only = finished_only
        self._said: set[tuple[str, str, str]] = set()
        self._lacking = cache(self._look)
        self.study = cache(self._study)

    def runs(self, section: str, experiment: str) -> list[RunName]:
        """The runs to make of one experiment. ConfigError if nothing remains of it."""
        return self.study(section, (experiment,))[experiment]

    def _study(self, section: str, experiments: tuple[str, ...]) -> dict[str, list[RunName]]:
        """The runs to make of each of the ``experiments`` of a section; without those that nothing is left of.

        ConfigError if nothing remains of any.
        """
        for name in experiments:
            self._requested.check(section, name)
        requested = {name: self._requested.runs(section, name) for name in experiments}
        lines = list(dict.fromkeys(line for runs in requested.values() for run in runs for line in self._missing(run)))
        remaining = {name: [run for run in runs if not self._missing(run)] for name, runs in requested.items()}
        if not any(remaining.values()):
            require(", ".join(experiments), lines)
        for line in lines:
            self._say_once(section, line, requested)
        left = {name: runs for name, runs in remaining.items() if runs}
        # What is left of an experiment may be a part of another's: its tables would not show what it asks.
        borrowed = [name for name in left if any(_has_it_all(left, requested, name, other) for other in left)]
        left = {name: runs for name, runs in left.items() if name not in borrowed}
        line = f"{LEFT_OUT}{', '.join(borrowed)}: all that is there of them is another experiment's, too"
        if borrowed and (section, "", line) not in self._said:
            self._said.add((section, "", line))
            self._say(line)
        for name, runs in left.items():
            self._requested.check_figures(section, name, runs)
        return left

    def require(self, run: RunName) -> None:
        """ConfigError if this run cannot be made here and was not made before."""
        require(str(self._results / run.folder), self._missing(run))

    def _missing(self, run: RunName) -> tuple[str, ...]:
        """What a run lacks, or the run that it replays: nothing, where it was made already."""
        if (self._results / run.folder / "summary.json").is_file():
            return ()
        if self.finished_only:
            return (NOT_MADE,)
        if self._assume:
            return ()
        source = replayed(run)
        of_source = self._missing(source) if source is not None else ()
        return tuple(dict.fromkeys([*self._lacking(replace(run, seed=0)), *of_source]))

    def _look(self, run: RunName) -> list[str]:
        return missing(run.domain, self._requested.settings(run).task)

    def _say_once(self, section: str, line: str, requested: Mapping[str, list[RunName]]) -> None:
        """Say what is left out of each experiment for a requirement, where it was not said before."""
        parts = []
        for name, runs in requested.items():
            lacking = sum(line in self._missing(run) for run in runs)
            if lacking and (section, name, line) not in self._said:
                self._said.add((section, name, line))
                parts.append(f"{name} ({lacking} of {len(runs)} runs)")
        if parts:
            self._say(f"{LEFT_OUT}{', '.join(parts)}: needs {line}")


def _has_it_all(
    left: Mapping[str, list[RunName]], requested: Mapping[str, list[RunName]], name: str, other: str
) -> bool:
    """Whether one experiment has all that is left of another, and more, though it was not asked for all of its runs."""
    return set(left[name]) < set(left[other]) and not set(requested[name]) <= set(requested[other])
