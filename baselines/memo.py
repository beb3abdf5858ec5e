"""A memory that is no state: it holds what can be computed again from the record of the run, to save the time."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """What was computed last. A copy of it, be it in memory or by pickle, begins empty.

    Methods are frozen and their decisions pure; a field with a memo is left out of comparison and of the repr.
    """

    def __init__(self) -> None:
        self.key: Hashable = None
        self.value: T | None = None

    def recall(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value for ``key``, which must name all that it depends on: computed anew unless the last key was equal."""
        if self.value is None or key != self.key:
            self.key, self.value = key, compute()
        return self.value

    def __reduce__(self) -> tuple[Any, ...]:
        return Memo, ()
