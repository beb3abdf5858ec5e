"""The contract of a task as checks to run on your own: ``pbt_core.testing.check_task`` and ``check_population``."""

from __future__ import annotations

import contextlib
import math
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pbt_core.calls import Calls, TaskError, global_generators_kept, moved_generators, seed_globals
from pbt_core.first_use import described_task, used
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space, Value
from pbt_core.store import Checkpoint, Reference, Store, digest
from pbt_core.task import AnyTask
from pbt_core.values import same

#: How many settings are tried to find one in which a hyperparameter matters.
TRIES = 8


class GlobalDrawWarning(UserWarning):
    """A task draws from a global generator: its runs are repeatable, but its code does not say where draws come from."""


def must(holds: object, rule: str) -> None:
    """AssertionError with the rule unless it holds; ``assert`` says nothing under ``python -O``."""
    if not holds:
        raise AssertionError(rule)


def check_task(task: AnyTask, steps: int = 3, seed: int = 0) -> None:
    """The rules of ``Task``: picklable, described as data, deterministic, exact after a reload, one state apart from another,
    hyperparameters ruling over loaded state.

    steps: of an interval. So many that every hyperparameter has an effect: a clip, for example, must bite.
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
    with global_generators_kept(), tempfile.TemporaryDirectory() as folder:
        try:
            _Checked(Calls(task), steps, stream, Store(Path(folder))).check(rng)
        except TaskError as error:
            raise AssertionError(f"{error.error}\n{error.frames}") from None
        finally:
            used(task)


def check_population(
    task: AnyTask, steps: int = 3, members: int = 3, seed: int = 0, relative: float = 1e-4, absolute: float = 1e-6
) -> None:
    """The rule of ``PopulationTask``: ``step_all`` leaves what ``step`` leaves for each member, up to these tolerances.

    Two intervals are trained; the values of every tensor of a state's checkpoint and every float beside them are compared,
    everything else in it, names, types and shapes of tensors included, must be equal.
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
            must(alike, f"member {m}: the checkpoint of step_all differs in its json")
            wrong = f"member {m}: the checkpoint of step_all has"
            names, others = sorted(one.tensors), sorted(all_.tensors)
            must(names == others, f"{wrong} the tensors {others}; that of step has {names}")
            for name, expected in sorted(one.tensors.items()):
                got = all_.tensors[name]
                form, right = (f"{array.dtype} of shape {array.shape}" for array in (got, expected))
                must(form == right, f"{wrong} {name} as {form}; that of step as {right}")
                close = np.allclose(got, expected, rtol=relative, atol=absolute, equal_nan=True)
                worst = float(np.max(np.abs(np.asarray(got, float) - np.asarray(expected, float)), initial=0.0))
                must(close, f"member {m}: {name} of step_all is not that of step: they differ by up to {worst:g}")


class _Checked:
    """A task whose states are compared by what ``save`` makes of them."""

    def __init__(self, calls: Calls, steps: int, stream: Stream, store: Store) -> None:
        self._calls, self._steps, self._stream, self._store = calls, steps, stream, store

    def check(self, rng: np.random.Generator) -> None:
        space = self._calls.task.space
        first = space.sample(rng)
        saved = self._kept(self._trained(first))
        self._must_be_equal(
            saved,
            self._kept(self._trained(first)),
            "init and step are not deterministic: the same seed and hyperparameters gave different states{where}; draw only "
            "from the given seed",
        )
        straight = self._kept(self._continued(self._trained(first), first))
        self._must_be_equal(
            straight,
            self._kept(self._continued(self._loaded(saved, first), first)),
            "a reloaded state continues differently{where}: save leaves something out (optimiser state, buffers, counters)",
        )
        self._check_evaluate(saved, first)
        self._check_apart(saved, first)
        for name, other in _varied(space, first, rng):
            changed = self._kept(self._continued(self._loaded(saved, other), other))
            self._must_be_equal(
                changed,
                self._kept(self._continued(self._trained(first), other)),
                f"{name}: step does not rule over the state: a reloaded state and a live one, given the same new value "
                f"{other[name]!r}, continue differently{{where}}",
            )
            if changed.digest == straight.digest and not self._matters(name, rng):
                raise AssertionError(
                    f"{name}: changing it from {first[name]!r} to {other[name]!r} after a clone changes nothing; set it from "
                    "the hyperparameters in every step, after any optimiser state was loaded (or train more, if its effect "
                    f"needs more than {self._steps} steps: check_task(task, steps=...))"
                )

    def _check_evaluate(self, saved: Reference, first: Hyperparameters) -> None:
        state = self._loaded(saved, first)
        before = self._kept(state)
        with _watching("evaluate"):
            seed_globals(self._stream)
            score = self._calls.evaluate(state, self._stream.child("evaluate"))
        self._must_be_equal(before, self._kept(state), "evaluate changes the state{where}")
        seed_globals(self._stream)
        again = self._calls.evaluate(state, self._stream.child("evaluate"))
        must(repr(score) == repr(again), "evaluate is not deterministic: draw only from the given seed")

    def _check_apart(self, saved: Reference, first: Hyperparameters) -> None:
        """A worker holds the states of several members at once."""
        kept = self._calls.init(self._stream.child("init", 1), first)
        before = self._kept(kept)
        others: dict[str, Callable[[], Any]] = {
            "load": lambda: self._loaded(saved, first),
            "init": lambda: self._calls.init(self._stream.child("init"), first),
        }
        for made, make in others.items():
            self._continued(make(), first)
            self._must_be_equal(
                before,
                self._kept(kept),
                f"two states share something: one was changed{{where}} when another, made by {made}, was trained; make all "
                "of a state anew in init and load, and keep no model in the task or its module",
            )

    def _matters(self, name: str, rng: np.random.Generator) -> bool:
        """Whether it changes anything beside other values: a momentum matters for one optimiser alone."""
        space = self._calls.task.space
        for base in (space.sample(rng) for _ in range(TRIES)):
            saved = self._kept(self._trained(base))
            for other in (other for varied, other in _varied(space, base, rng) if varied == name):
                one, another = (self._kept(self._continued(self._loaded(saved, h), h)) for h in (base, other))
                if one.digest != another.digest:
                    return True
        return False

    def _trained(self, hyperparameters: Hyperparameters) -> Any:
        with _watching("init"):
            state = self._calls.init(self._stream.child("init"), hyperparameters)
        with _watching("step"):
            return self._calls.step(state, hyperparameters, self._steps, self._stream.child("step", 0))

    def _continued(self, state: Any, hyperparameters: Hyperparameters) -> Any:
        return self._calls.step(state, hyperparameters, self._steps, self._stream.child("step", 1))

    def _loaded(self, saved: Reference, hyperparameters: Hyperparameters) -> Any:
        """Read from the file each time: a state may take what it is given for its own, and change it."""
        return self._calls.load(self._store.load(saved), hyperparameters, self._stream.child("init"))

    def _kept(self, state: Any) -> Reference:
        self._calls.save(state)  # raises for what cannot be kept
        return self._store.save(0, 0, self._calls.task.save(state), {})

    def _must_be_equal(self, one: Reference, other: Reference, rule: str) -> None:
        """``{where}`` in the rule is where the two checkpoints differ."""
        if one.digest == other.digest:
            return
        entries = _differing(self._store.load(one), self._store.load(other))
        pickled = [name for name in entries if _is_pickle(self._store.load(one).tensors.get(name))]
        text = rule.replace("{where}", f", in {', '.join(map(repr, entries[:3]))}" if entries else "")
        if pickled:
            text += (
                f"; or it is the same and {pickled[0]!r}, a pickle, is not, since equal objects need not have equal "
                "pickles: save the numbers that the object goes on from instead"
            )
        raise AssertionError(text)


def _differing(one: Checkpoint, other: Checkpoint) -> list[str]:
    """The names of the entries in which two checkpoints differ."""
    names = dict.fromkeys([*one.tensors, *other.tensors, *one.json, *other.json])
    return [name for name in names if digest(_entry(one, name)) != digest(_entry(other, name))]


def _entry(checkpoint: Checkpoint, name: str) -> Checkpoint:
    parts = ({name: part[name]} if name in part else {} for part in (checkpoint.tensors, checkpoint.json))
    return Checkpoint(*parts)


def _is_pickle(array: Any) -> bool:
    """Whether it holds bytes that begin and end as a pickle does."""
    if array is None or array.dtype != np.uint8 or array.size < 3:
        return False
    content: bytes = array.tobytes()
    return content[0] == 0x80 and content[1] <= pickle.HIGHEST_PROTOCOL and content[-1:] == b"."


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


@contextlib.contextmanager
def _watching(function: str) -> Iterator[None]:
    """Warn if the call in the block drew from a global generator."""
    yield
    if moved := moved_generators():
        warning = (
            f"{function} draws from the global generator of {' and '.join(moved)}: draw from the given seed instead"
        )
        warnings.warn(warning, GlobalDrawWarning, stacklevel=4)


def _varied(space: Space, base: dict[str, Value], rng: np.random.Generator) -> list[tuple[str, dict[str, Value]]]:
    """For each hyperparameter, ``base`` with that one changed to a different value, as far as a constraint lets it."""
    varied = []
    for name, dimension in space.items():
        values = [v for v in (dimension.sample(rng) for _ in range(100)) if not same(v, base[name])]
        must(values, f"{name}: 100 draws from its prior gave the same value")
        others = [{**base, name: value} for value in values]
        admitted = next((other for other in others if space.admitted(other) == other), None)
        if admitted is not None:
            varied.append((name, admitted))
    return varied


def _through_disk(checkpoint: Checkpoint) -> Checkpoint:
    with tempfile.TemporaryDirectory() as directory:
        store = Store(Path(directory))
        return store.load(store.save(0, 0, checkpoint, {}))


__all__ = ["GlobalDrawWarning", "check_population", "check_task", "must"]
