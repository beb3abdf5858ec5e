"""Conformance kits: the contracts of tasks, methods and engines as checks to run on your own.

Each ``check_...`` raises AssertionError with the rule that was broken. Use them in any test runner::

    def test_my_task_keeps_the_contract():
        check_task(MyTask(), steps=5)
"""

from __future__ import annotations

import contextlib
import copy
import math
import pickle
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pbt_core.calls import Calls, TaskError, global_generators_kept, moved_generators, seed_globals
from pbt_core.decisions import CannotReplace, Decider, empty_ledger, first_settings
from pbt_core.engines.base import Engine
from pbt_core.engines.serial import Serial
from pbt_core.first_use import described_task, used
from pbt_core.method import Method
from pbt_core.pbt import PBT
from pbt_core.plan import Plan
from pbt_core.schema import Event, check
from pbt_core.seeds import Stream, Streams
from pbt_core.space import Hyperparameters, LogUniform, Space, Value
from pbt_core.store import Checkpoint, Store, digest
from pbt_core.task import AnyTask, Score
from pbt_core.values import same


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


# -- tasks -----------------------------------------------------------------------------------------------------------


class GlobalDrawWarning(UserWarning):
    """A task draws from a global generator: its runs are repeatable, but its code does not say where draws come from."""


def check_task(task: AnyTask, steps: int = 3, seed: int = 0) -> None:
    """The rules of ``Task``: picklable, described as data, deterministic, exact after a reload, hyperparameters ruling.

    Warns, with GlobalDrawWarning, of draws from a global generator.
    """
    stream, rng = Stream(seed), Stream(seed, ("check",)).generator()
    try:
        pickle.dumps(task)
    except Exception as error:
        raise AssertionError(f"the task cannot be sent to a worker process: {error}") from error
    try:
        described_task(task)
    except ValueError as error:
        raise AssertionError(str(error)) from None
    with global_generators_kept():
        try:
            _check_task(Calls(task), steps, stream, rng)
        except TaskError as error:
            raise AssertionError(f"{error.error}\n{error.frames}") from None
        finally:
            used(task)


def check_population(
    task: AnyTask, steps: int = 3, members: int = 3, seed: int = 0, relative: float = 1e-4, absolute: float = 1e-6
) -> None:
    """The rule of ``PopulationTask``: ``step_all`` leaves what ``step`` leaves for each member, up to these tolerances.

    Two intervals are trained; every tensor of a state's checkpoint and every float beside them is compared, everything else
    in it must be equal.
    """
    calls, stream, rng = Calls(task), Stream(seed), Stream(seed, ("check",)).generator()
    settings = [calls.task.space.sample(rng) for _ in range(members)]
    with global_generators_kept():
        alone, together = (
            [calls.init(stream.child("init", m), values) for m, values in enumerate(settings)] for _ in range(2)
        )
        for t in range(2):
            seeds = [stream.child("step", m, t) for m in range(members)]
            alone = [calls.step(s, h, steps, r) for s, h, r in zip(alone, settings, seeds, strict=True)]
            together = calls.step_all(together, settings, steps, seeds)
        for m, pair in enumerate(zip(alone, together, strict=True)):
            one, all_ = (_through_disk(task.save(state)) for state in pair)
            alike = _alike(one.json, all_.json, relative, absolute)
            assert alike, f"member {m}: the checkpoint of step_all differs in its json"
            for name, expected in sorted(one.tensors.items()):
                got = all_.tensors[name]
                close = np.allclose(got, expected, rtol=relative, atol=absolute, equal_nan=True)
                worst = float(np.max(np.abs(np.asarray(got, float) - np.asarray(expected, float)), initial=0.0))
                assert close, f"member {m}: {name} of step_all is not that of step: they differ by up to {worst:g}"


def _alike(one: Any, other: Any, relative: float, absolute: float) -> bool:
    """Whether two pieces of JSON are equal, floats up to these tolerances."""
    match one, other:
        case float(), float():
            return same(one, other) or math.isclose(one, other, rel_tol=relative, abs_tol=absolute)
        case dict(), dict():
            return list(one) == list(other) and all(_alike(one[k], other[k], relative, absolute) for k in one)
        case list(), list():
            pairs = zip(one, other, strict=False)
            return len(one) == len(other) and all(_alike(a, b, relative, absolute) for a, b in pairs)
    return type(one) is type(other) and bool(one == other)


def _check_task(calls: Calls, steps: int, stream: Stream, rng: np.random.Generator) -> None:
    space = calls.task.space
    first = space.sample(rng)

    def trained(hyperparameters: Hyperparameters) -> Any:
        with _watching("init"):
            state = calls.init(stream.child("init"), hyperparameters)
        with _watching("step"):
            return calls.step(state, hyperparameters, steps, stream.child("step", 0))

    saved = _saved(calls, trained(first))
    assert digest(saved) == digest(_saved(calls, trained(first))), (
        "init and step are not deterministic: the same seed and hyperparameters gave different states; draw only from "
        "the given seed"
    )
    reloaded = _through_disk(saved)

    def loaded(hyperparameters: Hyperparameters) -> Any:
        return calls.load(reloaded, hyperparameters, stream.child("init"))

    def continued(state: Any, hyperparameters: Hyperparameters) -> str:
        return digest(_saved(calls, calls.step(state, hyperparameters, steps, stream.child("step", 1))))

    straight = continued(trained(first), first)
    assert straight == continued(loaded(first), first), (
        "a reloaded state continues differently: save leaves something out (optimiser state, buffers, counters)"
    )
    state = loaded(first)
    with _watching("evaluate"):
        seed_globals(stream)
        score = calls.evaluate(state, stream.child("evaluate"))
    assert digest(_saved(calls, state)) == digest(saved), "evaluate changes the state"
    seed_globals(stream)
    again = calls.evaluate(state, stream.child("evaluate"))
    assert repr(score) == repr(again), "evaluate is not deterministic: draw only from the given seed"

    for name, other in _varied(space, first, rng):
        after_clone = continued(loaded(other), other)
        assert after_clone == continued(trained(first), other), (
            f"{name}: step does not rule over the state: a reloaded state and a live one, given the same new value "
            f"{other[name]!r}, continue differently"
        )
        assert after_clone != straight, (
            f"{name}: changing it from {first[name]!r} to {other[name]!r} after a clone changes nothing; set it from the "
            "hyperparameters in every step, after any optimiser state was loaded"
        )


@contextlib.contextmanager
def _watching(function: str) -> Iterator[None]:
    """Warn if the call in the block drew from a global generator."""
    yield
    if moved := moved_generators():
        warning = (
            f"{function} draws from the global generator of {' and '.join(moved)}: draw from the given seed instead"
        )
        warnings.warn(warning, GlobalDrawWarning, stacklevel=4)


def _saved(calls: Calls, state: Any) -> Checkpoint:
    calls.save(state)  # raises for what cannot be kept
    return calls.task.save(state)


def _varied(space: Space, base: dict[str, Value], rng: np.random.Generator) -> list[tuple[str, dict[str, Value]]]:
    """For each hyperparameter, ``base`` with that one changed to a different value, as far as a constraint lets it."""
    varied = []
    for name, dimension in space.items():
        values = [v for v in (dimension.sample(rng) for _ in range(100)) if not same(v, base[name])]
        assert values, f"{name}: 100 draws from its prior gave the same value"
        others = [{**base, name: value} for value in values]
        admitted = next((other for other in others if space.admitted(other) == other), None)
        if admitted is not None:
            varied.append((name, admitted))
    return varied


def _through_disk(checkpoint: Checkpoint) -> Checkpoint:
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory))
        return store.load(store.save(0, 0, checkpoint, {}))


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
        assert joined == again, "start is not a function of rng"
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
                assert decided == again[member], f"{rule}: it made {decided}, and of a copy {again[member]}"
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
        assert repr(list(view)) == before, "decide changed a member"
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
    assert events == oracle, "synchronous mode: the record differs from the serial engine's"
    assert engine.run(task, method, plan, directory / "whole").events == oracle, "a finished run was changed"
    for after in (1, len(oracle) // 3, len(oracle) - 2):
        part = directory / f"broken-{after}"
        _interrupt(engine, task, method, plan, part, after)
        assert engine.run(task, method, plan, part).events == oracle, f"resumed after event {after}: another record"


def _check_asynchronous(engine: Engine, task: AnyTask, method: Method, plan: Plan, directory: Path) -> None:
    events = engine.run(task, method, plan, directory / "whole").events
    again = engine.run(task, method, plan, directory / "whole").events
    assert events == again, "asynchronous mode: a finished run was changed"
    _check_complete(events, method, task, plan)
    for after in (1, len(events) // 3):
        part = directory / f"broken-{after}"
        _interrupt(engine, task, method, plan, part, after)
        _check_complete(engine.run(task, method, plan, part).events, method, task, plan)


def _check_complete(events: Sequence[Event], method: Method, task: AnyTask, plan: Plan) -> None:
    for member in range(plan.population):
        steps = [e["step"] for e in events if e["event"] == "evaluated" and e["member"] == member]
        assert steps == [10, 20, 30, 40, 50, 60, 70], f"asynchronous mode: member {member} was evaluated at {steps}"
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
            assert decided == event, f"{event} was recorded where the method decides {decided}"
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
