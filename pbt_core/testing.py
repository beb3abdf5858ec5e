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

from pbt_core.decisions import Decider, empty_ledger
from pbt_core.engines.base import Engine
from pbt_core.engines.serial import Serial
from pbt_core.made_up import MadeUpRun
from pbt_core.method import Method
from pbt_core.pbt import PBT
from pbt_core.plan import Plan
from pbt_core.schema import Event
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
            MadeUpRun(method, unused, space, synchronous, interval).play(size, rounds)
        except ValueError as error:
            raise AssertionError(str(error)) from error


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
