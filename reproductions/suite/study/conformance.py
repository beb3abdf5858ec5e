"""The contract of a domain's task as a check, beside those of ``pbt_core.testing``.

Use it in any test runner, with a plan of the smoke scale::

    def test_my_domain_keeps_the_contract():
        settings = resolve("mine", "pbt", scale="smoke")
        check_domain_task(settings.build_task(), settings.plan())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pbt_core import Plan, Score, Stream, Worker
from pbt_core.calls import TaskError, global_generators_kept, plain_score
from pbt_core.engines.worker import acting_as
from pbt_core.store import digest
from pbt_core.testing import check_task
from reproductions.suite.study.domain import TORCH_DEVICES, DomainTask
from reproductions.suite.study.plain_values import plain
from reproductions.suite.study.registry import ConfigError


def check_domain_task(
    task: DomainTask[Any], plan: Plan, steps: int = 3, refused: Sequence[Plan] = (), seed: int = 0
) -> None:
    """The rules of ``pbt_core.Task`` and of ``DomainTask``; AssertionError with the one that was broken.

    plan: one that the task accepts. steps: of training between the checks. refused: plans that it must refuse.
    """
    assert isinstance(task, DomainTask), f"{type(task).__name__} must be a DomainTask"
    _check_prepare(task, plan, refused)
    check_task(task, steps, seed)
    _check_descriptions(task)
    stream = Stream(seed).child("hooks")
    hyperparameters = task.space.sample(stream.child("values").generator())
    with global_generators_kept():
        state = task.step(
            task.init(stream.child("init"), hyperparameters), hyperparameters, steps, stream.child("step")
        )
        loaded = task.load(task.save(state), hyperparameters)
        for hook, same in ((task.report, _same_score), (task.illustrate, _same_arrays)):
            _check_repeatable(task, hook, state, loaded, stream.child("answer"), same)


def _check_prepare(task: DomainTask[Any], plan: Plan, refused: Sequence[Plan]) -> None:
    for _ in range(2):
        assert task.prepare(plan) is None, "prepare must return nothing"  # type: ignore[func-returns-value]
    odd = (replace(plan, population=1), replace(plan, interval=1), replace(plan, steps=plan.steps + 1))
    for other in (*odd, *refused):
        refusal = _refusal(task, other)
        assert refusal is not None or other not in refused, f"prepare must refuse {other}"
        assert "\n" not in (refusal or ""), f"prepare must say what is wrong with {other} in one line, not {refusal!r}"


def _refusal(task: DomainTask[Any], plan: Plan) -> str | None:
    """The message with which ``prepare`` refuses a plan; None if it accepts it."""
    try:
        task.prepare(plan)
    except ConfigError as error:
        return str(error)
    except Exception as error:
        raise AssertionError(f"prepare must refuse {plan} by a ConfigError, not a {type(error).__name__}") from error
    return None


def _check_descriptions(task: DomainTask[Any]) -> None:
    kinds = task.devices
    known = isinstance(kinds, tuple) and set(kinds) <= set(TORCH_DEVICES)
    assert known, f"devices = {kinds!r} must be a tuple of {TORCH_DEVICES}"
    assert "cpu" in kinds, f"devices = {kinds!r} must have 'cpu' among them: tests and plans have nothing else"
    for kind in kinds:
        devices = () if kind == "cpu" else (kind,)
        with acting_as(Worker(0, 1, devices)):
            for hook in (task.describe, task.numerics):
                made = hook()
                assert isinstance(made, dict), f"{hook.__name__} must return a dict, not {made!r}"
                try:
                    plain(made)
                except ConfigError as error:
                    raise AssertionError(f"{hook.__name__} must return JSON: {error}") from None
                assert made == hook(), f"{hook.__name__} must return the same each time"
            made = task.numerics()
            assert made.get("device") == kind, (
                f"numerics()['device'] must be {kind!r} on it, not {made.get('device')!r}"
            )
            with acting_as(Worker(1, 3, devices)):
                assert made == task.numerics(), (
                    "numerics must not depend on which worker asks, nor on how many there are"
                )


def _check_repeatable(
    task: DomainTask[Any],
    hook: Callable[[Any, Stream], Any],
    state: Any,
    loaded: Any,
    seed: Stream,
    same: Callable[[Any, Any, str], None],
) -> None:
    """The same for equal streams and states, whether trained here or loaded; and the state is left as it was."""
    name, before = hook.__name__, digest(task.save(state))
    first = hook(state, seed)
    assert digest(task.save(state)) == before, f"{name} changes the state"
    same(first, hook(state, seed), f"{name} must be the same for equal streams: draw only from the given seed")
    same(first, hook(loaded, seed), f"{name} must be the same for a reloaded state: save leaves something out")


def _same_score(first: Any, again: Any, rule: str) -> None:
    assert first is None or isinstance(first, Score), f"report must return a Score or None, not {first!r}"
    try:
        scores = [None if score is None else plain_score(score, "report") for score in (first, again)]
    except TaskError as error:
        raise AssertionError(error.error) from None
    assert repr(scores[0]) == repr(scores[1]), rule


def _same_arrays(first: Any, again: Any, rule: str) -> None:
    if first is None:
        assert again is None, rule
        return
    kept = isinstance(first, dict) and all(isinstance(array, np.ndarray) for array in first.values())
    assert kept, "illustrate must return a dict of arrays, or None"
    equal = first.keys() == again.keys() and all(_same_array(array, again[key]) for key, array in first.items())
    assert equal, rule


def _same_array(a: Any, b: Any) -> bool:
    return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
