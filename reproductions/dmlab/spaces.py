"""What environments see and take, in the words of the shared contract of environments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike


@dataclass(frozen=True)
class Array:
    """An observation of one environment: its shape without the batch, and its type."""

    shape: tuple[int, ...]
    dtype: DTypeLike


@dataclass(frozen=True)
class Discrete:
    """One of ``n`` actions, from zero."""

    n: int


def pixels(height: int, width: int) -> dict[str, Array]:
    """The observations of an environment that shows one picture in colour and nothing else."""
    return {"pixels": Array((3, height, width), np.uint8)}
