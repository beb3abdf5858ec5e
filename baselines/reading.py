"""What a method makes of all evaluations so far, without reading them from the first at every decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from pbt_core.population import Evaluation


class Reader(Protocol):
    """Takes in evaluations one after another, oldest first."""

    def take_in(self, evaluation: Evaluation) -> None:
        """Take in the next evaluation."""
        ...


R = TypeVar("R", bound=Reader)


class Reading(Generic[R]):
    """A reader that has taken in all evaluations of a run. As a ``Memo``, it is no state: a copy begins empty."""

    def __init__(self) -> None:
        self._reader: R | None = None
        self._evaluations: Sequence[Evaluation] | None = None
        self._taken_in = 0

    def of(self, evaluations: Sequence[Evaluation], begin: Callable[[], R]) -> R:
        """The reader that has taken in all ``evaluations``: those since the last call, or all of another run by a new one.

        A run has one sequence of evaluations, which grows; another run has another object.
        """
        if self._reader is None or evaluations is not self._evaluations or self._taken_in > len(evaluations):
            self._reader, self._evaluations, self._taken_in = begin(), evaluations, 0
        while self._taken_in < len(evaluations):
            self._reader.take_in(evaluations[self._taken_in])
            self._taken_in += 1
        return self._reader

    def __reduce__(self) -> tuple[Any, ...]:
        return Reading, ()
