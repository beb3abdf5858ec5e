"""Resuming: whether a folder holds the run that is asked for, and what a killed run has left undone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from pbt_core.first_use import described_task
from pbt_core.identity import described, differences
from pbt_core.journal import Journal
from pbt_core.ledger import Ledger
from pbt_core.method import Method
from pbt_core.plan import Plan
from pbt_core.schema import Event, RecordError, check
from pbt_core.space import Space
from pbt_core.store import Store
from pbt_core.task import AnyTask
from pbt_core.work import Done, Work

#: How many differences between two runs an error names.
NAMED = 3


def identity(task: AnyTask, method: Method, plan: Plan, space: Space) -> dict[str, Any]:
    """The identity of a run, as JSON; ValueError for what cannot be described."""
    parts = {"plan": plan, "method": method, "space": space}
    try:
        return {**{name: described(part, name) for name, part in parts.items()}, "task": described_task(task)}
    except RecursionError:
        raise ValueError("the run cannot be described: its task or method is nested too deeply, or in itself") from None


def must_be_the_same(journal: Journal, requested: Mapping[str, Any], plan: Plan, extend: bool) -> Plan:
    """The plan to go on with. RecordError, in one line that names what differs, unless the journal is of the requested run.

    A plan that the run was extended from stands for the run as it is now. Where all that differs of a finished run is more
    steps or another stop, it is extended if it may be.
    """
    assert journal.header is not None, "there is a record"
    stages = stages_of(journal.header["run"], journal.extensions)
    recorded = stages[-1]
    differing = differences(recorded, requested)
    if not differing:
        return plan
    if any(not differences(stage, requested) for stage in stages):
        return replace(Plan.from_description(recorded["plan"]), durable=plan.durable)
    named = "; ".join(differing[:NAMED]) + (f" (and {len(differing) - NAMED} more)" if len(differing) > NAMED else "")
    extension = {"steps": requested["plan"]["steps"], "stop": requested["plan"]["stop"]}
    steps = recorded["plan"].get("steps")
    grows = isinstance(steps, int) and extension["steps"] >= steps
    if not grows or differences(_extended(recorded, extension), requested):
        raise RecordError(f"{journal.path} holds another run: {named}. Choose another directory")
    if not journal.ledger.finished:
        how = "finish it with the plan that it has, and extend it then; or choose another directory"
        raise RecordError(f"{journal.path.parent} holds a run that is not finished: {named}; {how}")
    if not extend:
        how = "to go on from there, extend it (extend=True, on the command line --extend)"
        raise RecordError(f"{journal.path.parent} holds a finished run: {named}; {how}")
    journal.append({"event": "extended", **extension})
    return plan


def complete_last_lines(journal: Journal, plan: Plan) -> None:
    """Write the events that a kill prevented."""
    last = journal.last
    if last is not None and last["event"] == "evaluated" and not math.isfinite(last["score"]):
        journal.append({"event": "diverged", "member": last["member"], "step": last["step"]})
    if plan.synchronous:
        _decide_silently(journal.ledger, plan.steps)


def _decide_silently(ledger: Ledger, steps: int) -> None:
    """If some members are ahead, all decisions of the round behind them were made.

    What is not recorded of them is that the other members go on unchanged.
    """
    slots = ledger.slots
    stands = {m: slot.member.step for m, slot in slots.items() if slot.member.step < steps or not slot.stopped}
    ahead = max(stands.values(), default=0)
    for member, step in stands.items():
        if step < ahead and slots[member].undecided:
            ledger.decided(member)


class Leftovers:
    """Intervals that a killed run had finished but not recorded: checkpoints whose notes hold the work and its score."""

    def __init__(self, store: Store, members: set[int]) -> None:
        self._store, self._unsure = store, members

    def answer(self, work: Work) -> Done | None:
        """The outcome of ``work`` if it was done already; checkpoints are searched once for each member."""
        if work.member not in self._unsure:
            return None
        self._unsure.discard(work.member)
        for reference, note in self._store.notes(work.member, work.stop):
            if note.get("work") == work.fingerprint() and _is_score(note.get("score"), work, reference.digest):
                return Done(work, note["score"], reference, {})
        return None


def _is_score(score: Any, work: Work, digest: str) -> bool:
    if not isinstance(score, dict):
        return False
    where = {"event": "evaluated", "member": work.member, "step": work.stop, "checkpoint": digest}
    try:
        check({**where, "hyperparameters": dict(work.hyperparameters), **score})
    except ValueError:
        return False
    return True


def stages_of(run: Mapping[str, Any], extensions: Iterable[Event]) -> list[dict[str, Any]]:
    """The identities that a run has had: as it was begun, and after each of its extensions."""
    return [dict(run), *(_extended(run, extension) for extension in extensions)]


def _extended(run: Mapping[str, Any], extension: Event | Mapping[str, Any]) -> dict[str, Any]:
    """The identity of a run after its plan was extended."""
    return {**run, "plan": {**run["plan"], "steps": extension["steps"], "stop": extension["stop"]}}
