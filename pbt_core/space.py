"""The search space: one declared type per hyperparameter, and constraints between them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, ItemsView, Iterator, Mapping
from itertools import chain, count
from types import FunctionType
from typing import Any

import numpy as np

from pbt_core.dimensions import Choice, Dimension, Integer, LogUniform, OneMinus, Uniform
from pbt_core.values import Hyperparameters, Value, flaw, is_number, plain, shown

#: How many proposals in a row may break a constraint before that is an error.
TRIES = 10_000
_OWN = {Uniform, LogUniform, OneMinus, Integer, Choice}
_OPERATIONS = ("sample", "perturb", "shift", "clip", "check")

Where = Callable[[Hyperparameters], bool]
Repair = Callable[[dict[str, Any]], Hyperparameters]


class Space(Mapping[str, Dimension]):
    """The dimensions by name. Iteration follows the order of declaration, and so does every draw.

    >>> space = Space({"lr": LogUniform(1e-5, 1e-2), "layers": Integer(1, 8)})

    where: the constraint, a function of all hyperparameters that says whether they are allowed together. Draws and explores
        are repeated until it holds (``TRIES`` times, then ValueError).
    repair: a function that returns the hyperparameters mended, within the bounds. It is asked when ``where`` does not
        hold, and about every draw and explore if there is no ``where``.

    Both are functions of a module, since a run is identified by their names. Names are flat: "opt.lr" is one.
    """

    def __init__(
        self, dimensions: Mapping[str, Dimension], where: Where | None = None, repair: Repair | None = None
    ) -> None:
        if not isinstance(dimensions, Mapping):
            raise ValueError(f"Space: {shown(dimensions)} must be a mapping of names to dimensions")
        if not dimensions:
            raise ValueError("Space: at least one hyperparameter must be declared")
        self._dimensions = {_checked_name(name): dimension for name, dimension in dimensions.items()}
        for name, dimension in self._dimensions.items():
            _check_dimension(name, dimension)
        for key, function in (("where", where), ("repair", repair)):
            if function is not None:
                _check_function(key, function)
        self.where, self.repair = where, repair
        # What a user's own dimension gives may be anything; those here see to it themselves.
        self._foreign = {name for name, dimension in self._dimensions.items() if type(dimension) not in _OWN}

    def __getitem__(self, name: str) -> Dimension:
        return self._dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    # As a Mapping does it by itself, every draw, explore and check would call once for each name.
    def __contains__(self, name: object) -> bool:
        return name in self._dimensions

    def items(self) -> ItemsView[str, Dimension]:
        """Names and dimensions, in the order of declaration."""
        return self._dimensions.items()

    def __repr__(self) -> str:
        functions = {"where": self.where, "repair": self.repair}
        options = [f", {key}={_name(function)}" for key, function in functions.items() if function is not None]
        return f"Space({self._dimensions!r}{''.join(options)})"

    def sample(self, rng: np.random.Generator) -> dict[str, Value]:
        """One draw of every hyperparameter from its prior; drawn again until the constraint holds."""
        if self.where is None and self.repair is None:
            return self._draw(rng)
        return self.first(lambda: self._draw(rng), "draws from the prior")

    def check(self, hyperparameters: Hyperparameters) -> None:
        """Raise ValueError, naming the key, the value and the rule, unless every value is declared and in bounds.

        Also unless the constraint between them holds, which is then named.
        """
        self._check_each(hyperparameters)
        for name in self._dimensions:
            if name not in hyperparameters:
                raise ValueError(f"hyperparameter {name!r} is missing; the space has {list(self)}")
        if not self._holds(hyperparameters):
            raise ValueError(f"hyperparameters {dict(hyperparameters)} break the constraint {self._constraint()}")

    def restore(self, hyperparameters: Hyperparameters) -> dict[str, Any]:
        """Values that were read from JSON, or are numpy's, as the declared ones. What is not declared stays as it is.

        ValueError for what is no mapping.
        """
        if hyperparameters.__class__ is not dict and not isinstance(hyperparameters, Mapping):
            raise ValueError(f"hyperparameters = {shown(hyperparameters)} must be a mapping of names to values")
        return {name: self._restored(name, value) for name, value in hyperparameters.items()}

    def complete(self, known: Hyperparameters, drawn: Hyperparameters, rng: np.random.Generator) -> dict[str, Value]:
        """``known`` values, and the others as ``drawn`` from the prior; these are drawn again until the constraint holds.

        ValueError for a name or a value that is not declared, and for values that the constraint never allows. Known values
        are never repaired.
        """
        known = self.restore(known)
        self._check_each(known)
        if len(known) == len(self):
            self.check(known)
            return {name: known[name] for name in self}
        draws = chain([drawn], (self._draw(rng) for _ in count()))
        return self.first(lambda: {**next(draws), **known}, f"draws beside {known}", known)

    def first(
        self, propose: Callable[[], Hyperparameters], what: str, keep: Hyperparameters | None = None
    ) -> dict[str, Value]:
        """The first proposal that the constraint admits, repaired if need be, and with the values in ``keep`` unchanged.

        ValueError, which says ``what`` was proposed, after ``TRIES`` of them.
        """
        for _ in range(TRIES):
            admitted = self.admitted(propose())
            if admitted is not None and all(admitted[name] == value for name, value in (keep or {}).items()):
                return admitted
        raise ValueError(
            f"the constraint {self._constraint()} was broken by {TRIES} {what} in a row: widen it or the bounds, or give "
            "the space a repair"
        )

    def admitted(self, hyperparameters: Hyperparameters) -> dict[str, Value] | None:
        """The hyperparameters, repaired if they break the constraint; None if they still break it."""
        candidate = self.restore(hyperparameters)
        if self.repair is not None and (self.where is None or not self._holds(candidate)):
            candidate = self._repaired(candidate)
        return candidate if self._holds(candidate) else None

    def _draw(self, rng: np.random.Generator) -> dict[str, Value]:
        return {name: dimension.sample(rng) for name, dimension in self.items()}

    def _restored(self, name: str, value: Any) -> Any:
        dimension = self._dimensions.get(name)
        if dimension is None:
            return value
        if name not in self._foreign:
            return dimension.restore(value)
        restore = getattr(dimension, "restore", None)
        return plain(value) if restore is None else restore(value)

    def _check_each(self, hyperparameters: Hyperparameters) -> None:
        for name in hyperparameters:
            if name not in self._dimensions:
                raise ValueError(f"hyperparameter {name!r} is not declared; the space has {list(self)}")
        for name, dimension in self.items():
            if name in hyperparameters and (rule := dimension.check(value := hyperparameters[name])):
                hint = " of Python's own, not numpy's" if isinstance(value, np.generic) else ""
                raise ValueError(f"hyperparameter {name!r} = {shown(value)} must be {rule}{hint}")
            if name in self._foreign and name in hyperparameters and (why := flaw(hyperparameters[name])):
                what = f"hyperparameter {name!r} = {shown(hyperparameters[name])} must be a value that a record holds"
                raise ValueError(
                    f"{what}: a finite number, a text, a truth value, None or a tuple of them, not one {why}"
                )

    def _holds(self, hyperparameters: Hyperparameters) -> bool:
        if self.where is None:
            return True
        answer = plain(_called("constraint", self.where, dict(hyperparameters)))
        if not isinstance(answer, bool):
            raise ValueError(f"the constraint {_name(self.where)} gave {shown(answer)}: it must give True or False")
        return answer

    def _repaired(self, hyperparameters: dict[str, Any]) -> dict[str, Any]:
        assert self.repair is not None
        repaired = _called("repair", self.repair, dict(hyperparameters))
        if not isinstance(repaired, Mapping) or set(repaired) != set(hyperparameters):
            raise ValueError(
                f"the repair {_name(self.repair)} gave {shown(repaired)}: it must give all hyperparameters again"
            )
        restored = self.restore(repaired)
        try:
            self._check_each(restored)
        except ValueError as error:
            raise ValueError(f"the repair {_name(self.repair)}: {error}") from None
        return {name: restored[name] for name in hyperparameters}

    def _constraint(self) -> str:
        """The constraint in words, for an error: its name, and the first line of its docstring."""
        function = self.where or self.repair
        summary = (inspect.getdoc(function) or "").split("\n")[0]
        return _name(function) + (f" ({summary.rstrip('.')})" if summary else "")


def _called(kind: str, function: Callable[..., Any], hyperparameters: dict[str, Any]) -> Any:
    try:
        return function(hyperparameters)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"the {kind} {_name(function)} raised {reason} for {hyperparameters}") from error


def _name(function: Any) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _check_function(key: str, function: Any) -> None:
    """ValueError unless it is a function that another process can import by its name."""
    if not isinstance(function, FunctionType):
        raise ValueError(f"Space: {key} = {shown(function)} must be a function of a module")
    if "<" in function.__qualname__:  # <lambda>, or within another function: <locals>
        raise ValueError(
            f"Space: {key} = {_name(function)} must be a function of a module: give it a name there with def"
        )


def _checked_name(name: Any) -> str:
    plain_name = plain(name)
    if not isinstance(plain_name, str) or not plain_name.strip() or not plain_name.isprintable():
        raise ValueError(f"Space: the name {shown(name)} must be a string of printable characters, and not empty")
    return plain_name


def _check_dimension(name: str, dimension: Any) -> None:
    """ValueError, with a remedy, unless ``dimension`` has the operations of a Dimension."""
    begins = f"Space: {name!r}: {shown(dimension)}"
    if isinstance(dimension, Mapping):
        inner = next((key for key in dimension if isinstance(key, str)), "lr")
        raise ValueError(
            f"{begins} is a mapping, and spaces are flat: name its hyperparameters like {f'{name}.{inner}'!r}"
        )
    try:
        value = plain(dimension)
    except RecursionError:
        raise ValueError(f"{begins} is no dimension: it is nested too deeply") from None
    if isinstance(value, tuple | range | set | frozenset):
        pair = isinstance(value, tuple) and len(value) == 2 and all(map(is_number, value))
        ways = [*(["a range is Uniform(low, high) or LogUniform(low, high)"] if pair else [])]
        raise ValueError(f"{begins} is no dimension: {', '.join([*ways, 'alternatives are Choice((...))'])}")
    if value is None or isinstance(value, bool | int | float | str):
        raise ValueError(f"{begins} is a constant, and a space holds what is searched: constants belong in the task")
    if isinstance(dimension, type):
        raise ValueError(f"{begins} is a class: give an instance, such as {dimension.__name__}(...)")
    if lacking := [operation for operation in _OPERATIONS if not callable(getattr(dimension, operation, None))]:
        raise ValueError(f"{begins} is no dimension: a {type(dimension).__name__} has no {', '.join(lacking)}")


__all__ = [
    "TRIES",
    "Choice",
    "Dimension",
    "Hyperparameters",
    "Integer",
    "LogUniform",
    "OneMinus",
    "Space",
    "Uniform",
    "Value",
]
