"""Between the ledger and the work: the next interval of a member, and the events that record its outcome."""

from __future__ import annotations

import math

from pbt_core.ledger import Ledger, Slot
from pbt_core.plan import Plan
from pbt_core.schema import Event
from pbt_core.store import Reference
from pbt_core.values import brief
from pbt_core.work import Done, Failed, Work

Outcome = Done | Failed


def next_interval(slot: Slot, plan: Plan, recycle: Reference | None = None, proves: bool = False) -> Work:
    """What the member trains next; ``recycle`` and ``proves`` as in ``Work``."""
    start = slot.member.step
    stop = min(start + plan.interval, plan.steps)
    own = slot.latest if slot.source not in (None, slot.latest) else None
    return Work(slot.member.id, start, stop, dict(slot.member.hyperparameters), slot.source, own, recycle, proves)


def events_of(outcome: Outcome) -> list[Event]:
    """What the record says of an interval: ``evaluated``, with ``diverged`` after it, or ``failed``."""
    work = outcome.work
    where = {"member": work.member, "step": work.stop}
    if isinstance(outcome, Failed):
        what = {"kind": outcome.kind, "error": outcome.error, "traceback": outcome.traceback}
        return [{"event": "failed", **where, **what}]
    evaluated = {
        "event": "evaluated",
        **where,
        **outcome.score,
        "hyperparameters": work.hyperparameters,
        "checkpoint": outcome.checkpoint.digest,
    }
    return [evaluated, *([] if math.isfinite(outcome.score["score"]) else [{"event": "diverged", **where}])]


def end_of(ledger: Ledger, reason: str) -> Event:
    """The ``finished`` event: the answer is the best of the last evaluations."""
    best = ledger.best()
    answer = {"best": best.member.id, "step": best.member.step, "score": best.member.score} if best else {}
    return {"event": "finished", "best": None, "step": None, "score": None, **answer, "reason": reason}


def cannot_replace(method: object, failed: Event) -> str:
    """Why the run ends where ``failed`` is the last failure of a member that the method cannot replace."""
    return (
        f"member {failed['member']} failed in the interval that ends at step {failed['step']} and "
        f"{type(method).__name__} cannot replace it: {brief(failed['error'])}"
    )
