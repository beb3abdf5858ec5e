"""A task made from a kept record: instead of training, members follow the scores that others had at the same age."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from dataclasses import astuple, dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from pbt_core.fields import ONE_OR_MORE, Extended, Rule, checked
from pbt_core.record import Record
from pbt_core.schema import dump
from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space
from pbt_core.store import Checkpoint
from pbt_core.task import Score
from pbt_core.unit import is_real, to_unit
from pbt_core.values import same


def _ascend(steps: tuple[int, ...]) -> bool:
    return bool(steps) and steps[0] >= 1 and all(a < b for a, b in pairwise(steps))


@dataclass(frozen=True)
class Curve:
    """The scores of one training with one setting: after each of ``steps`` from fresh weights, ascending.

    held_out: beside each score, or None where the task had none.
    """

    hyperparameters: Hyperparameters
    steps: Annotated[tuple[int, ...], Rule("whole numbers that ascend from 1 or more", _ascend)]
    scores: tuple[Extended, ...]
    held_out: tuple[Extended, ...] | None = None

    def __post_init__(self) -> None:
        checked(self)
        for name, values in (("scores", self.scores), ("held_out", self.held_out)):
            if values is not None and len(values) != len(self.steps):
                raise ValueError(f"Curve: {len(values)} {name} must be as many as there are steps, {len(self.steps)}")


@dataclass(frozen=True)
class _Followed:
    """Weights, as far as a table can tell: which curve they follow, for how many steps, and how far above it they are.

    recorded: whether they have followed one curve, with its very setting, ever since they were fresh.
    """

    curve: int | None = None
    age: int = 0
    above: float = 0.0
    held_out_above: float = 0.0
    recorded: bool = True


@dataclass(frozen=True)
class RecordedCurves:
    """A table of scores by setting and step as a task; deterministic, and it costs nothing to train.

    Exact for methods that leave hyperparameters alone (random search, early stopping) and begin with the recorded settings,
    at the recorded steps: there the metric ``recorded`` is 1. All else is a model, and ``recorded`` is 0:

    * A setting follows the curve of the nearest recorded one (in the unit cube of ``space``; other choices are at distance
      1).
    * Weights that are copied, or trained on with another setting, keep their score and gain from then on what their new
      curve gains at the same age.
    * Between recorded steps scores are interpolated, before the first they are the first, beyond the last they stay.

    What no table can tell is what a setting does to weights that another one has trained, which is the use of a schedule;
    and the noise of training and evaluation: two members with one setting are equal. So it shows when decisions fall and
    how long a run takes, but is no evidence for a method that copies or changes.
    """

    space: Space
    curves: Annotated[tuple[Curve, ...], ONE_OR_MORE]

    def __post_init__(self) -> None:
        checked(self)
        for number, curve in enumerate(self.curves):
            try:
                self.space.check(curve.hyperparameters)
            except ValueError as error:
                raise ValueError(f"RecordedCurves: curve {number}: {error}") from None

    @classmethod
    def of(cls, record: Record, space: Space) -> RecordedCurves:
        """The trainings in a record, such as ``Run.open(folder).record``, with the space that they were drawn from.

        A restart begins another curve. ValueError, with member and step, for a record in which weights were copied or
        hyperparameters changed: then no curve belongs to one setting.
        """
        curves: list[Curve] = []
        open_curves: dict[int, tuple[int, Hyperparameters, list[tuple[int, float, float | None]]]] = {}

        def close(member: int) -> None:
            _, hyperparameters, rows = open_curves.pop(member)
            if rows:
                steps, scores, held_out = zip(*rows, strict=True)
                curves.append(
                    Curve(space.restore(hyperparameters), steps, scores, None if None in held_out else held_out)
                )

        for event in record:
            match event["event"]:
                case "joined":
                    open_curves[event["member"]] = (0, event["hyperparameters"], [])
                case "restarted":
                    close(event["member"])
                    open_curves[event["member"]] = (event["step"], event["hyperparameters"], [])
                case "evaluated":
                    begun, _, rows = open_curves[event["member"]]
                    rows.append((event["step"] - begun, event["score"], event["held_out"]))
                case "cloned" | "changed" as what:
                    where = f"member {event['member']} at step {event['step']}"
                    raise ValueError(f"RecordedCurves: {where} was {what}: a curve must belong to one setting")
        for member in sorted(open_curves):
            close(member)
        return cls(space, tuple(curves))

    def identity(self) -> str:
        """A digest of the table: what a run is described by."""
        rows = [[dict(curve.hyperparameters), curve.steps, curve.scores, curve.held_out] for curve in self.curves]
        return hashlib.sha256(dump(rows).encode()).hexdigest()[:32]

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> _Followed:
        """Fresh weights, of age 0."""
        return _Followed()

    def step(self, state: _Followed, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> _Followed:
        """The weights ``steps`` older, on the curve of these hyperparameters."""
        number = self._nearest(hyperparameters)
        curve = self.curves[number]
        setting = all(same(value, hyperparameters[name]) for name, value in curve.hyperparameters.items())
        followed = replace(state, curve=number, age=state.age + steps, recorded=state.recorded and setting)
        if state.curve in (None, number):
            return followed
        score = self.evaluate(state, seed)
        above = score.value - _at(curve.steps, curve.scores, state.age)
        held_out_above = 0.0
        if score.held_out is not None and curve.held_out is not None:
            held_out_above = score.held_out - _at(curve.steps, curve.held_out, state.age)
        return replace(followed, above=above, held_out_above=held_out_above, recorded=False)

    def evaluate(self, state: _Followed, seed: Stream) -> Score:
        """The recorded score at this age, moved by what the weights brought along; the metric says whether it is a record's."""
        assert state.curve is not None, "only trained weights are evaluated"
        curve = self.curves[state.curve]
        held_out = curve.held_out
        return Score(
            _at(curve.steps, curve.scores, state.age) + state.above,
            held_out=None if held_out is None else _at(curve.steps, held_out, state.age) + state.held_out_above,
            metrics={"recorded": float(state.recorded and state.age in curve.steps)},
        )

    def save(self, state: _Followed) -> Checkpoint:
        """Where the weights are."""
        return Checkpoint({}, {"at": astuple(state)})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> _Followed:
        """What was saved."""
        return _Followed(*checkpoint.json["at"])

    def _nearest(self, hyperparameters: Hyperparameters) -> int:
        """The first of the nearest curves."""
        numbers, others = self._settings
        here = self._place(hyperparameters)
        distances = np.square(numbers - here[0]).sum(axis=1)
        for values, value in zip(others, here[1], strict=True):
            distances += [not same(other, value) for other in values]
        return int(np.argmin(distances))

    @cached_property
    def _settings(self) -> tuple[NDArray[np.float64], list[tuple[Any, ...]]]:
        """Of every curve the numbers in the unit cube, and for each other dimension the choices."""
        places = [self._place(curve.hyperparameters) for curve in self.curves]
        return np.array([numbers for numbers, _ in places]), list(zip(*(others for _, others in places), strict=True))

    def _place(self, hyperparameters: Hyperparameters) -> tuple[list[float], list[Any]]:
        numbers = [
            to_unit(dimension, hyperparameters[name]) for name, dimension in self.space.items() if is_real(dimension)
        ]
        return numbers, [hyperparameters[name] for name, dimension in self.space.items() if not is_real(dimension)]


def _at(steps: tuple[int, ...], values: tuple[float, ...], age: int) -> float:
    """The value at ``age``, linear between recorded steps; before the first it is the first, beyond the last the last."""
    place = bisect_left(steps, age)
    if place == len(steps):
        return values[-1]
    if place == 0 or steps[place] == age:
        return values[place]
    share = (age - steps[place - 1]) / (steps[place] - steps[place - 1])
    return values[place - 1] * (1 - share) + values[place] * share


__all__ = ["Curve", "RecordedCurves"]
