"""What a learner needs of a batch of environments: named observations, described actions, and state that is data.

The machinery that steps environments (emulators, simulators) is made once a process and shared by all members there, each
of which goes on where it was: with ``Resumable`` environments in the middle of episodes, with others in new episodes at
the beginning of each interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

#: Named arrays: observations, or the state of environments.
Arrays = dict[str, NDArray[Any]]
#: The actions of a batch: int64 [batch], or one such array for each part of a ``Composite``.
ActionArrays = NDArray[np.int64] | dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Array:
    """One observation: its shape without the batch, and its type of numbers."""

    shape: tuple[int, ...]
    dtype: DTypeLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))

    def zeros(self, *leading: int) -> NDArray[Any]:
        """Zeros of this kind: shape [*leading, *shape]."""
        return np.zeros((*leading, *self.shape), self.dtype)


@dataclass(frozen=True)
class Discrete:
    """One of ``n`` actions. mask: the observation, bool [batch, n], that says which are available; None: all, always."""

    n: int
    mask: str | None = None

    def zeros(self, *leading: int) -> ActionArrays:
        """Action 0 for each of [*leading]."""
        return np.zeros(leading, np.int64)


@dataclass(frozen=True)
class Composite:
    """An action of several named parts, each of which is chosen: a function and its arguments, several joysticks.

    chooser: the part whose value decides which others count, and ``arguments[value]`` their names; the parts that do not
    count are 0. Without a chooser all parts count. ValueError if the two do not fit the parts.
    """

    parts: Mapping[str, Discrete]
    chooser: str | None = None
    arguments: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.chooser is None:
            if self.arguments:
                raise ValueError("arguments need a chooser: the part whose value they belong to")
            return
        if self.chooser not in self.parts:
            raise ValueError(f"chooser = {self.chooser!r} must be one of the parts {list(self.parts)}")
        if len(self.arguments) != self.parts[self.chooser].n:
            values = self.parts[self.chooser].n
            raise ValueError(
                f"arguments must be {values}, one tuple for each {self.chooser}, not {len(self.arguments)}"
            )
        unknown = {name for names in self.arguments for name in names} - (set(self.parts) - {self.chooser})
        if unknown:
            raise ValueError(f"arguments name {sorted(unknown)}, which must be parts other than the chooser")

    def zeros(self, *leading: int) -> ActionArrays:
        """Action 0 in every part for each of [*leading]."""
        return {name: np.zeros(leading, np.int64) for name in self.parts}


Actions = Discrete | Composite


class Environments(Protocol):
    """``batch`` environments of one kind, stepped together.

    observations: what is seen, by name: pictures (that called "pixels" is uint8 [channels, height, width]), vectors, masks
    of actions. ``begin`` starts new episodes in all; everything random follows from its seed. ``observe`` gives what is seen
    now, each [batch, ...], valid until the next ``step``. ``step`` takes actions, int64 [batch] or one such array a part,
    and gives unclipped rewards, float64 [batch], and whether each episode ended, bool [batch]; an ended episode is followed
    by a new one at once, whose first observation is the one seen next.

    Every row of a mask allows something. An episode that something outside the game broke off (a lost connection) is void:
    it ends with the reward NaN, counts nowhere, and its last step is worth 0.
    """

    batch: int

    @property
    def observations(self) -> Mapping[str, Array]: ...

    @property
    def actions(self) -> Actions: ...

    def begin(self, seed: int) -> None: ...

    def observe(self) -> Arrays: ...

    def step(self, actions: Any) -> tuple[NDArray[np.float64], NDArray[np.bool_]]: ...


@runtime_checkable
class Resumable(Environments, Protocol):
    """Environments whose running episodes are data: ``load(save())`` goes on exactly, in this process or another."""

    def save(self) -> Arrays: ...

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None: ...
