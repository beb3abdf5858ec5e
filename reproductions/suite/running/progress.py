"""Progress of a run on the terminal: members done, best score, time left."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pbt_core.journal import Observer
from pbt_core.schema import Event
from reproductions.suite.study.names import label
from reproductions.suite.study.settings import Settings

#: Seconds between two lines where the output is not a terminal.
LINE_EVERY = 10.0


class Tally:
    """Counts events for the display. The time left follows from the speed of this session alone, not of earlier ones."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.budget = settings.population * settings.steps
        self.steps: dict[int, int] = {}
        self.best = -math.inf
        self.clones = 0
        self._begun = time.monotonic()
        self._already: int | None = None

    def resumed_at(self, events: Sequence[Event]) -> None:
        """Count what earlier sessions did."""
        for event in events:
            self.count(event)
        self._already = sum(self.steps.values())

    def count(self, event: Event) -> None:
        if event["event"] in ("evaluated", "failed", "stopped"):
            self.steps[event["member"]] = event["step"]
        if event["event"] == "evaluated" and math.isfinite(event["score"]):
            self.best = max(self.best, event["score"])
        self.clones += event["event"] == "cloned"

    @property
    def done(self) -> int:
        return sum(self.steps.values())

    def text(self) -> str:
        finished = sum(step >= self.settings.steps for step in self.steps.values())
        best = f"{self.best:.3f}" if math.isfinite(self.best) else "none yet"
        members = f"{finished}/{self.settings.population} members done"
        return (
            f"{members}, step {self.done}/{self.budget}, best score {best}, {self.clones} clones, {self._left()} left"
        )

    def _left(self) -> str:
        gained = self.done - (self._already or 0)
        if gained <= 0:
            return "unknown time"
        seconds = (self.budget - self.done) * (time.monotonic() - self._begun) / gained
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def naming(settings: Settings) -> str:
    """A run in the words of its lines on the terminal; the variant where it has one."""
    return f"{settings.domain} {settings.problem} {label(settings.method, settings.variant)} seed {settings.seed}"


@contextmanager
def showing(settings: Settings, earlier: Sequence[Event], quiet: bool = False) -> Iterator[Observer]:
    """An observer that shows progress: a bar on a terminal, a line now and then elsewhere, nothing if ``quiet``."""
    tally = Tally(settings)
    tally.resumed_at(earlier)
    name = naming(settings)
    if quiet:
        yield tally.count
    elif sys.stderr.isatty():
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[counts]}"),
        )
        with Progress(*columns, console=console) as progress:
            bar = progress.add_task(name, total=tally.budget, completed=tally.done, counts=tally.text())

            def show(event: Event) -> None:
                tally.count(event)
                progress.update(bar, completed=tally.done, counts=tally.text())

            yield show
    else:
        printed = time.monotonic()

        def say(event: Event) -> None:
            nonlocal printed
            tally.count(event)
            if time.monotonic() - printed > LINE_EVERY or event["event"] == "finished":
                printed = time.monotonic()
                print(f"{name}: {tally.text()}", file=sys.stderr, flush=True)

        yield say
