"""One interval of training: what the driver asks of an engine, and what comes back."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters
from pbt_core.store import CheckpointError, Reference, Store
from pbt_core.task import AnyTask, Score


@dataclass(frozen=True)
class Work:
    """One interval of one member: train from ``source`` (None: fresh weights) from ``start`` to ``stop``, evaluate, save.

    ``own`` is the member's last checkpoint where it trains on from another's: what stays with a member comes from there.
    ``recycle`` is a checkpoint that nobody needs any more, whose file the new one may take.
    """

    member: int
    start: int
    stop: int
    hyperparameters: Hyperparameters
    source: Reference | None
    own: Reference | None = None
    recycle: Reference | None = None

    def fingerprint(self) -> dict[str, Any]:
        """What was asked for, as JSON: a checkpoint whose note says the same answers it."""
        source = None if self.source is None else self.source.filename
        hyperparameters = dict(self.hyperparameters)
        return {
            "member": self.member,
            "start": self.start,
            "stop": self.stop,
            "source": source,
            "own": None if self.own is None else self.own.filename,
            "with": hyperparameters,
        }


@dataclass(frozen=True)
class Done:
    """An interval that ended well. ``timing`` is in seconds and never enters the record."""

    work: Work
    score: Score
    checkpoint: Reference
    timing: Mapping[str, float]


@dataclass(frozen=True)
class Failed:
    """An interval that did not: it ``raised``, ``hung`` beyond the limit, or its worker ``crashed`` again and again."""

    work: Work
    kind: str
    error: str
    traceback: str = ""


def score_to_json(score: Score) -> dict[str, Any]:
    """The fields of a score as plain numbers (a task may return numpy's)."""
    return {
        "score": float(score.value),
        "samples": [float(sample) for sample in score.samples],
        "held_out": None if score.held_out is None else float(score.held_out),
        "metrics": {name: float(value) for name, value in score.metrics.items()},
    }


def score_from_json(data: Mapping[str, Any]) -> Score:
    """The inverse of ``score_to_json``, also after a way through ``encode``."""
    held_out = None if data["held_out"] is None else float(data["held_out"])
    metrics = {name: float(value) for name, value in data["metrics"].items()}
    return Score(float(data["score"]), tuple(map(float, data["samples"])), held_out, metrics)


class Bench:
    """Where work is done: a task, the shared store, and the states of the members that were last worked on here.

    A state is used again only if it is the very one that the work starts from; otherwise the source is loaded. At most
    ``capacity`` states are held (None: any number).
    """

    def __init__(self, task: AnyTask, store: Store, seed: Stream, capacity: int | None = None) -> None:
        self.task, self.store, self.seed, self.capacity = task, store, seed, capacity
        self._states: dict[int, tuple[Reference, Any]] = {}

    def carry_out(self, work: Work) -> Done | Failed:
        """Do one interval. Whatever the task raises becomes a Failed; a bad checkpoint is an error of the run."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            state = self._begin(work)
            state = self.task.step(
                state, work.hyperparameters, work.stop - work.start, self.seed.child("step", work.member, work.start)
            )
            trained = time.perf_counter()
            score = self.task.evaluate(state, self.seed.child("evaluate", work.member, work.stop))
            evaluated = time.perf_counter()
            checkpoint = self.task.save(state)
        except CheckpointError:
            raise
        except Exception as error:
            return Failed(work, "raised", f"{type(error).__name__}: {error}", _own_traceback(error))
        note = {"work": work.fingerprint(), "score": score_to_json(score)}
        reference = self.store.save(work.member, work.stop, checkpoint, note, work.recycle)
        self._hold(work.member, reference, state)
        now = time.perf_counter()
        timing = {
            "train_s": trained - wall,
            "evaluate_s": evaluated - trained,
            "save_s": now - evaluated,
            "cpu_s": time.process_time() - cpu,
        }
        return Done(work, score, reference, timing)

    def _begin(self, work: Work) -> Any:
        reference, state = self._states.pop(work.member, (None, None))
        if work.source is None:
            # A restarted member's weights differ from its first ones.
            return self.task.init(self.seed.child("init", work.member, work.start), work.hyperparameters)
        if reference == work.source:
            return state
        checkpoint = self.store.load(work.source)
        if work.own is not None and checkpoint.has_own:
            checkpoint = checkpoint.adopted_by(self.store.load(work.own))
        return self.task.load(checkpoint, work.hyperparameters)

    def _hold(self, member: int, reference: Reference, state: Any) -> None:
        self._states[member] = (reference, state)
        if self.capacity is not None and len(self._states) > self.capacity:
            del self._states[next(iter(self._states))]


def _own_traceback(error: BaseException) -> str:
    """The traceback from the task's own code on, so that it is the same whichever engine ran it."""
    frames = error.__traceback__
    return "".join(traceback.format_exception(error.with_traceback(frames.tb_next if frames else None)))
