"""A cache that is no state: what it holds can be computed again from the record of the run."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Memo(Generic[T]):
    """The last computed value. A copy, in memory or by pickle, begins empty.

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
