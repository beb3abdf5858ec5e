"""Conformance kits: the contracts of tasks, methods and engines as checks to run on your own.

Each ``check_...`` raises AssertionError with the rule that was broken. Use them in any test runner::

    def test_my_task_keeps_the_contract():
        check_task(MyTask(), steps=5)
"""

from __future__ import annotations

import copy
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbt_core.decisions import CannotReplace, Decider, empty_ledger, first_settings
from pbt_core.engines.base import Engine
from pbt_core.engines.serial import Serial
from pbt_core.method import Method
from pbt_core.pbt import PBT
from pbt_core.plan import Plan
from pbt_core.schema import Event, check
from pbt_core.seeds import Stream, Streams
from pbt_core.space import Hyperparameters, LogUniform, Space
from pbt_core.store import Checkpoint
from pbt_core.task import AnyTask, Score
from pbt_core.task_checks import GlobalDrawWarning, check_population, check_task, must


@dataclass(frozen=True)
class Hill:
    """A task that costs nothing: gradient ascent with momentum and noise on a hill in ``size`` dimensions.

    The momentum buffer plays the part of an optimiser's state. ``fault`` is for tests of failures: ("raise", limit) raises
    for learning rates from the limit on, ("diverge", limit) scores members farther away than the limit with NaN.
    """

    size: int = 3
    fault: tuple[str, float] | None = None
    space: Space = field(default_factory=lambda: Space({"lr": LogUniform(1e-4, 1.0), "decay": LogUniform(1e-3, 0.5)}))

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> dict[str, NDArray[np.float64]]:
        return {"x": seed.generator().normal(size=self.size) + 3, "v": np.zeros(self.size)}

    def step(
        self, state: dict[str, NDArray[np.float64]], hyperparameters: Hyperparameters, steps: int, seed: Stream
    ) -> dict[str, NDArray[np.float64]]:
        lr, decay = float(hyperparameters["lr"]), float(hyperparameters["decay"])
        if self.fault and self.fault[0] == "raise" and lr >= self.fault[1]:
            raise ArithmeticError(f"lr = {lr} is above {self.fault[1]}")
        noise = seed.generator().normal(size=(steps, self.size))
        for t in range(steps):
            state["v"] = (1 - decay) * state["v"] - state["x"] + 0.1 * noise[t]
            state["x"] = state["x"] + lr * decay * state["v"]
        return state

    def evaluate(self, state: dict[str, NDArray[np.float64]], seed: Stream) -> Score:
        value = -float(np.square(state["x"]).sum())
        if self.fault and self.fault[0] == "diverge" and value < -self.fault[1]:
            value = math.nan
        samples = tuple(value + 0.01 * seed.generator().normal(size=10))
        return Score(value, samples=samples, held_out=value + 1.0, metrics={"distance": math.sqrt(abs(value))})

    def save(self, state: dict[str, NDArray[np.float64]]) -> Checkpoint:
        return Checkpoint(state)

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> dict[str, NDArray[np.float64]]:
        return {name: np.array(array) for name, array in checkpoint.tensors.items()}


# -- methods ---------------------------------------------------------------------------------------------------------


def check_method(
    method: Method, space: Space | None = None, size: int = 8, rounds: int = 6, interval: int = 10
) -> None:
    """The rules of ``Method``: enough members, values in bounds, decisions that are pure and can be carried out.

    The method is played out in both modes by what decides in a run, over made-up scores: some members diverge, some fail, and
    in the third of the ``rounds`` nobody has a finite score. The decisions of a synchronous round are asked for twice: once
    more in another order, of a copy that has not seen the run before, as after a resumption. A method that cannot replace a
    failed member sees its interval again.
    interval: steps of a round, so that a method that decides every so many of them has something to decide.
    """
    space = Hill().space if space is None else space
    unused = copy.deepcopy(method)
    for synchronous in (True, False):
        try:
            _MadeUp(method, unused, space, synchronous, interval).play(size, rounds)
        except ValueError as error:
            raise AssertionError(str(error)) from error


class _MadeUp:
    """A run without a task: events with scores that are drawn, and a method's decisions about them."""

    def __init__(self, method: Method, unused: Method, space: Space, synchronous: bool, interval: int) -> None:
        self._unused, self._interval = unused, interval
        self._decider = Decider(method, space, Streams(0), synchronous)
        self._ledger = empty_ledger(synchronous)
        self._rng = Stream(1, ("scores",)).generator()

    def play(self, size: int, rounds: int) -> None:
        decider, slots = self._decider, self._ledger.slots
        joined, again = (
            first_settings(method, decider.space, size, decider.streams)
            for method in (decider.method, copy.deepcopy(self._unused))
        )
        must(joined == again, "start is not a function of rng")
        self._apply(*joined)
        for number in range(1, rounds + 1):
            going_on = [member for member, slot in slots.items() if not slot.stopped]
            for members in [going_on] if decider.synchronous else [[member] for member in going_on]:
                for member in members:
                    self._apply(*self._outcome(member, hopeless=number == 3))
                self._decide(members)

    def _decide(self, members: list[int]) -> None:
        """Decide about members on one view, as in a round; once more, where some failed that the method cannot replace."""
        decisions = self._decisions(self._decider, members)
        if self._decider.synchronous:
            other = replace(self._decider, method=copy.deepcopy(self._unused))
            again = self._decisions(other, members[::-1])
            for member, decided in decisions.items():
                rule = "decide is not a function of its arguments"
                must(decided == again[member], f"{rule}: it made {decided}, and of a copy {again[member]}")
        lost = [member for member, decided in decisions.items() if decided is CannotReplace]
        for member in lost:
            self._apply({"event": "retried", "member": member, "step": self._ledger.slots[member].member.step})
            self._apply(self._evaluated(member, 0.0))
        if lost:
            self._decide(members)
            return
        for member, decided in decisions.items():
            if isinstance(decided, dict):
                self._apply(decided)
            else:
                self._ledger.decided(member)

    def _decisions(self, decider: Decider, members: list[int]) -> dict[int, Event | type[CannotReplace] | None]:
        """What is decided about each; nothing is changed by it."""
        view = self._ledger.view(decider.space)
        before, decisions = repr(list(view)), dict[int, Event | type[CannotReplace] | None]()
        for member in members:
            try:
                decisions[member] = decider.decision(self._ledger, member)
            except CannotReplace:
                decisions[member] = CannotReplace
        must(repr(list(view)) == before, "decide changed a member")
        return decisions

    def _outcome(self, member: int, hopeless: bool) -> list[Event]:
        """What became of an interval: in one of ten it failed, in another the member diverged."""
        luck, score = self._rng.random(), float(self._rng.normal())
        where = {"member": member, "step": self._ledger.slots[member].member.step + self._interval}
        if luck < 0.1:
            return [{"event": "failed", **where, "kind": "raised", "error": "made up", "traceback": ""}]
        if luck < 0.2 or hopeless:
            return [self._evaluated(member, math.nan), {"event": "diverged", **where}]
        return [self._evaluated(member, score)]

    def _evaluated(self, member: int, score: float) -> Event:
        stands = self._ledger.slots[member].member
        return {
            "event": "evaluated",
            "member": member,
            "step": (step := stands.step + self._interval),
            "score": score,
            "samples": [score + float(noise) for noise in self._rng.normal(size=10)],
            "held_out": None,
            "metrics": {},
            "hyperparameters": dict(stands.hyperparameters),
            "checkpoint": f"{member:016x}{step:016x}",
        }

    def _apply(self, *events: Event) -> None:
        for event in events:
            check(event)
            self._ledger.apply(event)


# -- engines ---------------------------------------------------------------------------------------------------------


def check_engine(
    engine: Engine, task: AnyTask | None = None, method: Method | None = None, *, synchronous: bool = True
) -> None:
    """The rules of ``Engine``: the serial engine's record in synchronous mode, otherwise a complete one with decisions
    that follow from its events.

    Also, in both modes: an interrupted run resumes to such a record, and a finished run is left alone. ``method`` must not
    stop a member before its 70 steps are done. synchronous: whether the engine has that mode.
    """
    task = Hill() if task is None else task
    method = PBT(ready=20) if method is None else method
    plan = Plan(population=6, steps=70, interval=10, seed=3)
    with tempfile.TemporaryDirectory() as name:
        if synchronous:
            _check_synchronous(engine, task, method, plan, Path(name) / "synchronous")
        _check_asynchronous(engine, task, method, replace(plan, synchronous=False), Path(name) / "asynchronous")


def _check_synchronous(engine: Engine, task: AnyTask, method: Method, plan: Plan, directory: Path) -> None:
    oracle = Serial().run(task, method, plan, directory / "oracle").events
    events = engine.run(task, method, plan, directory / "whole").events
    must(events == oracle, "synchronous mode: the record differs from the serial engine's")
    must(engine.run(task, method, plan, directory / "whole").events == oracle, "a finished run was changed")
    for after in (1, len(oracle) // 3, len(oracle) - 2):
        part = directory / f"broken-{after}"
        _interrupt(engine, task, method, plan, part, after)
        must(engine.run(task, method, plan, part).events == oracle, f"resumed after event {after}: another record")


def _check_asynchronous(engine: Engine, task: AnyTask, method: Method, plan: Plan, directory: Path) -> None:
    events = engine.run(task, method, plan, directory / "whole").events
    again = engine.run(task, method, plan, directory / "whole").events
    must(events == again, "asynchronous mode: a finished run was changed")
    _check_complete(events, method, task, plan)
    for after in (1, len(events) // 3):
        part = directory / f"broken-{after}"
        _interrupt(engine, task, method, plan, part, after)
        _check_complete(engine.run(task, method, plan, part).events, method, task, plan)


def _check_complete(events: Sequence[Event], method: Method, task: AnyTask, plan: Plan) -> None:
    for member in range(plan.population):
        steps = [e["step"] for e in events if e["event"] == "evaluated" and e["member"] == member]
        must(steps == [10, 20, 30, 40, 50, 60, 70], f"asynchronous mode: member {member} was evaluated at {steps}")
    check_decisions(events, method, task, plan)


class _Interrupted(Exception):
    pass


def _interrupt(engine: Engine, task: AnyTask, method: Method, plan: Plan, directory: Path, after: int) -> None:
    """Run until ``after`` events, then leave as an exception does."""
    seen = 0

    def observe(event: Event) -> None:
        nonlocal seen
        seen += 1
        if seen == after:
            raise _Interrupted

    try:
        engine.run(task, method, plan, directory, observe)
    except _Interrupted:
        return
    raise AssertionError("the engine swallowed an exception of its observer")


def check_decisions(events: Sequence[Event], method: Method, task: AnyTask, plan: Plan) -> None:
    """Each recorded decision of an asynchronous run is what the method decides given the events before it."""
    decider, ledger = Decider(method, task.space, Streams(plan.seed), plan.synchronous), empty_ledger(plan.synchronous)
    for event in events:
        if event["event"] in ("cloned", "changed", "restarted", "stopped"):
            decided = decider.decision(ledger, event["member"])
            must(decided == event, f"{event} was recorded where the method decides {decided}")
        ledger.apply(event)


__all__ = [
    "GlobalDrawWarning",
    "Hill",
    "check_decisions",
    "check_engine",
    "check_method",
    "check_population",
    "check_task",
]
