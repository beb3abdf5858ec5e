"""A run read back from its folder, finished or under way; nothing but the files is needed."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pbt_core.checking import check_loader
from pbt_core.errors import RunError
from pbt_core.files import located, make_folder
from pbt_core.first_use import using
from pbt_core.leases.log import LOG
from pbt_core.ledger import Ledger, as_evaluated
from pbt_core.lineage import Lineage, Segment
from pbt_core.method import Method
from pbt_core.plan import Plan, Until
from pbt_core.record import Record, read
from pbt_core.schema import RecordError
from pbt_core.space import Hyperparameters
from pbt_core.store import CheckpointError, Store
from pbt_core.task import AnyTask
from pbt_core.values import shown, whole_number

if TYPE_CHECKING:
    import pandas as pd

    from pbt_core.engines.base import Engine
    from pbt_core.journal import Observer

#: Where the record of a run can be below a folder, in the order of the search.
_PLACES = ("events.jsonl", "state/events.jsonl", "events.parquet", LOG, f"state/{LOG}")
#: How often the record of a run under way is read again because its checkpoints have moved on.
_TRIES = 5


class Run:
    """A run, read from its record; nothing is written or locked, and the sources of its task are not needed.

    Of a run under way it shows the state at the time of opening: open it again for a later one.
    """

    def __init__(self, directory: Path | str, path: Path | None = None) -> None:
        """``directory`` is where an engine ran it; see ``open`` for other folders."""
        self.directory = located(directory, "directory")
        self._path = self.directory / "events.jsonl" if path is None else path

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """The run in ``folder``: that of an engine, one above its ``state``, or one with an exported ``events.parquet``.

        RecordError names the folder if it holds no record, and the line where the record is damaged.
        """
        folder = located(folder, "folder")
        for name in _PLACES:
            path = folder / name
            if path.is_file() or (path.is_dir() and path.name == LOG):
                run = cls(path.parent, path)
                run.record  # noqa: B018 - a damaged record is an error now, not later
                return run
        raise RecordError(f"{folder} holds no run: there is none of {', '.join(_PLACES)}")

    @cached_property
    def record(self) -> Record:
        """All events, evaluations in columns."""
        record = read(self._path)
        if not len(record) or record[0]["event"] != "started":
            raise RecordError(f"{self._path} holds no run: its first event must be started")
        return record

    @property
    def events(self) -> Record:
        """The events; reads like a list of dictionaries."""
        return self.record

    @cached_property
    def _ledger(self) -> Ledger:
        ledger = Ledger()
        for number, event in enumerate(self.record, start=1):
            try:
                ledger.apply(event)
            except ValueError as error:
                raise RecordError(f"{self._path}, event {number}: {error}") from None
        return ledger

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return self._ledger.finished

    @property
    def reason(self) -> str | None:
        """Why a finished run ended: its ``steps`` were done, or ``Plan.stop`` gave it no more ``time`` or its ``score``."""
        finished = self.record.others("finished")
        return finished[-1]["reason"] if finished and self.finished else None

    @property
    def identity(self) -> dict[str, Any]:
        """What the run is, as data: its plan, method, space and task."""
        run: dict[str, Any] = self.record[0]["run"]
        extension = self._ledger.extension
        extended = {} if extension is None else {"steps": extension["steps"], "stop": extension["stop"]}
        return {**run, "plan": {**run["plan"], **extended}}

    @property
    def plan(self) -> Plan:
        """Its budget and mode, extensions included. RecordError if the record does not describe one."""
        try:
            return Plan.from_description(self.identity["plan"])
        except (ValueError, TypeError) as error:
            raise RecordError(f"{self._path}: started.run.plan is none: {error}") from None

    @property
    def best(self) -> int | None:
        """The member whose weights are the run's answer; None if none has a finite score.

        The highest score at the end of a training; of a run under way, the highest of the members' last evaluations. Score,
        hyperparameters, state and schedule are all of that evaluation, whatever was decided about the member since.
        """
        slot = self._ledger.best()
        return None if slot is None else slot.member.id

    @property
    def score(self) -> float | None:
        """The score of the best member, which selected it."""
        slot = self._ledger.best()
        return None if slot is None else slot.member.score

    @property
    def hyperparameters(self) -> Hyperparameters | None:
        """Those of the best member at the end of its training. PBT's answer is the weights: see ``state``.

        As the record holds them, of a string enumeration's member its text; ``task.space.restore`` gives them as declared.
        """
        slot = self._ledger.best()
        return None if slot is None else dict(slot.member.hyperparameters)

    def state(self, task: AnyTask, member: int | None = None) -> Any:
        """The state that a member was last evaluated in, or the run's answer if none is named, loaded by the task.

        RunError says so where there is none; KeyError if there is no such member, ValueError for what is no number of one.
        """
        check_loader(task)
        if member is not None:
            member = self._numbered(member)
        run = self
        for attempt in range(_TRIES):
            try:
                return run._state(task, member)
            except CheckpointError:
                if self.finished or attempt == _TRIES - 1:
                    raise
                run = Run.open(self.directory)  # the run has gone on since, and its weights with it
        raise AssertionError("unreachable")

    def _state(self, task: AnyTask, member: int | None) -> Any:
        slot = self._ledger.best() if member is None else as_evaluated(self._ledger.slots[member])
        if slot is None:
            why = "all members diverged or failed" if len(self._ledger.evaluations) else "no member was evaluated yet"
            raise RunError(f"the run has no best member: {why}")
        if slot.latest is None:
            why = "its last interval failed" if slot.member.failed else "it was never evaluated"
            raise RunError(f"member {slot.member.id} has no weights: {why}")
        checkpoint = Store.reading(self.directory / "checkpoints").load(slot.latest)
        with using(task):
            return task.load(checkpoint, task.space.restore(slot.member.hyperparameters))

    def _numbered(self, member: Any) -> int:
        """The number of a member."""
        number = whole_number("Run", "member", member)
        if number not in self._ledger.slots:
            raise KeyError(f"member = {shown(number)} must be one of {len(self._ledger.slots)} members, from 0 on")
        return number

    def table(self) -> pd.DataFrame:
        """One row an evaluation, oldest first: member, step, score, held_out, ``metrics.NAME``, ``hyperparameters.NAME``.

        Needs pandas; ``record.evaluations()`` gives the same as a pyarrow table.
        """
        frame: pd.DataFrame = self.record.evaluations().to_pandas()
        return frame

    @property
    def failed(self) -> int:
        """How many intervals failed: a search goes on without them, so a run that ends may have many."""
        return len(self.record.others("failed"))

    def failures(self) -> pd.DataFrame:
        """One row an interval that failed, oldest first: member, step (at its end), kind, error, traceback. Needs pandas."""
        kinds = {"member": pa.int64(), "step": pa.int64(), "kind": pa.string(), "error": pa.string()}
        columns = pa.schema({**kinds, "traceback": pa.string()})
        frame: pd.DataFrame = pa.Table.from_pylist(self.record.others("failed"), columns).to_pandas()
        return frame

    @cached_property
    def lineage(self) -> Lineage:
        """Who descends from whom."""
        return Lineage(self.record)

    def schedule(self, member: int | None = None) -> list[Segment]:
        """The hyperparameters that led to a member's weights when it was last evaluated, or to the run's answer.

        Interval by interval. ValueError where no member is named and there is no answer. Other errors as from ``state``.
        """
        if member is not None:
            member = self._numbered(member)
        best = self._ledger.best() if member is None else None
        return (
            self.lineage.schedule(member) if best is None else self.lineage.schedule(best.member.id, best.member.step)
        )

    def extend(
        self,
        engine: Engine,
        task: AnyTask,
        method: Method,
        *,
        steps: int | None = None,
        stop: Until | None = None,
        observer: Observer | None = None,
    ) -> Run:
        """Go on with a finished run until each member has ``steps`` steps in all, or until ``stop``.

        In synchronous mode, and where the plan's ``interval`` divides the steps that were done, the members are what they
        would be if all the steps had been asked for at once. Where it does not, the last interval was shorter, and those that
        follow begin where it ended. RecordError if task or method are not those of the run.
        """
        if isinstance(engine, type) or not callable(getattr(engine, "run", None)):
            raise ValueError(f"engine = {shown(engine)} must be an engine, such as Serial()")
        plan = replace(self.plan, stop=stop, steps=self.plan.steps if steps is None else steps)
        return engine.run(task, method, plan, self.directory, observer, extend=True)

    def export(self, directory: Path | str) -> None:
        """Write ``events.parquet`` and ``lineage.json``, each at once or not at all."""
        directory = located(directory, "directory")
        make_folder(directory)
        self.record.write_parquet(directory / "events.parquet")
        self.lineage.write(directory / "lineage.json")
