"""One interval of training: what the driver asks of an engine, and what comes back."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pbt_core.calls import Calls, ContractError, TaskError, where_raised
from pbt_core.errors import RunError
from pbt_core.seeds import Streams
from pbt_core.space import Hyperparameters
from pbt_core.store import Reference, Store
from pbt_core.task import AnyTask
from pbt_core.values import brief

log = logging.getLogger("pbt_core")

_OUT_OF_MEMORY = ("MemoryError", "OutOfMemoryError")


@dataclass(frozen=True, slots=True)
class Work:
    """One interval of one member: train from ``source`` (None: fresh weights) from ``start`` to ``stop``, evaluate, save.

    ``own``: where ``source`` is another member's, this member's last checkpoint, from which its ``own.*`` entries come.
    ``recycle`` is a checkpoint that is needed no more, whose file the new one may take. ``proves``: it is the first of the
    run, which ends with it if the task breaks its contract there, or cannot load what it saved.
    """

    member: int
    start: int
    stop: int
    hyperparameters: Hyperparameters
    source: Reference | None
    own: Reference | None = None
    recycle: Reference | None = None
    proves: bool = False

    def is_same(self, other: Work) -> bool:
        """Whether ``other`` is this very interval; who carries it out may have changed what it recycles."""
        return (self.member, self.start, self.stop, self.source) == (
            other.member,
            other.start,
            other.stop,
            other.source,
        )

    def fingerprint(self) -> dict[str, Any]:
        """The work as JSON: a checkpoint whose note holds the same is its outcome."""
        return {
            "member": self.member,
            "start": self.start,
            "stop": self.stop,
            "source": None if self.source is None else self.source.filename,
            "own": None if self.own is None else self.own.filename,
            "with": self.hyperparameters,
        }


@dataclass(frozen=True, slots=True)
class Done:
    """An interval that ended well.

    ``score`` has the plain fields of an ``evaluated`` event: score, samples, held_out, metrics. ``timing`` is in seconds and
    never enters the record.
    """

    work: Work
    score: Mapping[str, Any]
    checkpoint: Reference
    timing: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Failed:
    """An interval that failed: it ``raised``, ``hung`` beyond the limit, or its worker ``crashed`` again and again."""

    work: Work
    kind: str
    error: str
    traceback: str = ""


class Bench:
    """Where work is done: a task, the shared store, and the states of the members that were last worked on here.

    A state is used again only if the work starts from exactly this state; otherwise the source is loaded. At most
    ``capacity`` states are held (None: any number); one that is dropped is given to the task's ``close``, if it has one.
    """

    def __init__(
        self, task: AnyTask, store: Store, seed: int, capacity: int | None = None, interruptible: bool = True
    ) -> None:
        self.calls, self.store = Calls(task, interruptible), store
        self.streams, self.capacity = Streams(seed), capacity
        self._states: dict[int, tuple[Reference, Any]] = {}
        self._told = False  # that a population form fails: once is enough

    def carry_out(self, work: Work) -> Done | Failed:
        """Do one interval. An error of the task becomes a Failed; a bad checkpoint is an error of the run.

        RunError if the interval proves the task, and it breaks its contract or cannot load what it has saved.
        """
        try:
            return self._carried_out(work)
        finally:
            self.calls.go_home()

    def _carried_out(self, work: Work) -> Done | Failed:
        wall, cpu = time.perf_counter(), time.process_time()
        state = None
        try:
            seed = self.streams.step(work.member, work.start)
            state = self._begin(work)
            state = self.calls.step(state, work.hyperparameters, work.stop - work.start, seed)
        except TaskError as error:
            return self._failed(work, error, state)
        share = {"train_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
        return self._judged(work, state, share)

    def _judged(self, work: Work, state: Any, training: Mapping[str, float]) -> Done | Failed:
        """Evaluate and save what was trained; ``training``: the seconds that it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            score = self.calls.evaluate(state, self.streams.evaluate(work.member, work.stop))
            evaluated = time.perf_counter()
            checkpoint = self.calls.save(state)
        except TaskError as error:
            return self._failed(work, error, state)
        note = {"work": work.fingerprint(), "score": score}
        reference = self.store.save(work.member, work.stop, checkpoint, note, work.recycle)
        saved = time.perf_counter()
        cpu_s = training["cpu_s"] + time.process_time() - cpu
        if work.proves:
            self._prove_load(work, reference)
        self._hold(work.member, reference, state)
        timing = {
            "train_s": training["train_s"],
            "evaluate_s": evaluated - wall,
            "save_s": saved - evaluated,
            "cpu_s": cpu_s,
        }
        return Done(work, score, reference, timing)

    def _failed(self, work: Work, error: TaskError, state: Any) -> Failed:
        if state is not None:
            self.calls.close(state)
        if work.proves and isinstance(error, ContractError):
            raise RunError(f"the run ends at its first interval: {brief(error.error)}")
        return Failed(work, "raised", error.error, error.frames)

    def _prove_load(self, work: Work, reference: Reference) -> None:
        """Load the run's first checkpoint once: whoever copies another's weights will have to."""
        try:
            seed = self.streams.init(work.member, work.stop)
            self.calls.close(self.calls.load(self.store.load(reference), work.hyperparameters, seed))
        except TaskError as error:
            if error.error.startswith(_OUT_OF_MEMORY):  # two states at once, which nothing but this asks for
                return
            name = self.calls.name
            raise RunError(
                f"{name}.load cannot load what {name}.save wrote: {brief(error.error)}{where_raised(error)}"
            ) from None

    def carry_out_together(self, works: Sequence[Work]) -> list[Done | Failed]:
        """Do intervals of the same length as one program, by the task's ``step_all``; in the order of ``works``.

        Whoever made the program fail is found by doing them one by one.
        """
        wall, cpu = time.perf_counter(), time.process_time()
        states = self._trained_together(works)
        if states is None:
            return [self.carry_out(work) for work in works]
        share = {
            "train_s": (time.perf_counter() - wall) / len(works),
            "cpu_s": (time.process_time() - cpu) / len(works),
        }
        return [self._judged(work, state, share) for work, state in zip(works, states, strict=True)]

    def _trained_together(self, works: Sequence[Work]) -> list[Any] | None:
        """The members' states after these intervals; None if the program failed."""
        begun: list[Any] = []
        try:
            for work in works:
                begun.append(self._begin(work))
            seeds = [self.streams.step(work.member, work.start) for work in works]
            values = [work.hyperparameters for work in works]
            return self.calls.step_all(begun, values, works[0].stop - works[0].start, seeds)
        except TaskError as error:
            if not self._told:
                members = ", ".join(str(work.member) for work in works)
                log.warning("members %s could not be trained as one program, but one by one: %s", members, error)
                self._told = True
            for state in begun:
                self.calls.close(state)
            return None
        finally:
            self.calls.go_home()

    def close(self) -> None:
        """Give up all states."""
        while self._states:
            self._drop(next(iter(self._states)))

    def _begin(self, work: Work) -> Any:
        reference, state = self._states.pop(work.member, (None, None))
        if reference is not None and reference == work.source:
            return state
        if state is not None:
            self.calls.close(state)
        init = self.streams.init(work.member, work.start)
        if work.source is None:
            return self.calls.init(init, work.hyperparameters)
        checkpoint = self.store.load(work.source)
        if work.own is not None and checkpoint.has_own:
            checkpoint = checkpoint.adopted_by(self.store.load(work.own))
        return self.calls.load(checkpoint, work.hyperparameters, init)

    def _hold(self, member: int, reference: Reference, state: Any) -> None:
        self._states[member] = (reference, state)
        if self.capacity is not None and len(self._states) > self.capacity:
            self._drop(next(iter(self._states)))

    def _drop(self, member: int) -> None:
        _, state = self._states.pop(member)
        self.calls.close(state)
