"""What environments say of their observations and actions: the names of ``reproductions.shared.rl.environments``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Array:
    """One observation: its shape without the batch, and its type of numbers."""

    shape: tuple[int, ...]
    dtype: DTypeLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        object.__setattr__(self, "dtype", np.dtype(self.dtype))


@dataclass(frozen=True)
class Discrete:
    """One of ``n`` actions. mask: the observation, bool [batch, n], that says which are available; None: all, always."""

    n: int
    mask: str | None = None


@dataclass(frozen=True)
class Composite:
    """An action of named parts. chooser: the part whose value decides which others count: ``arguments[value]``."""

    parts: Mapping[str, Discrete]
    chooser: str | None = None
    arguments: tuple[tuple[str, ...], ...] = ()
