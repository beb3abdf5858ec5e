"""What all policies share: how layers are read, what a policy is, and calls by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft import kinds
from reproductions.starcraft.specification import SCREEN

Observation = Mapping[str, NDArray[Any]]
#: A function's name and its arguments by name.
Call = tuple[str, dict[str, int]]
_LAYER = {layer.name: place for place, layer in enumerate(SCREEN)}


def layer(seen: Observation, name: str) -> NDArray[Any]:
    """A layer of the screen, [size, size]."""
    return np.asarray(seen["feature_screen"][_LAYER[name]])


def cells(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The marked cells as points (x, y), [n, 2]."""
    rows, columns = np.nonzero(where)
    return np.stack([columns, rows], 1).astype(np.float64)


def blobs(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The middles of connected groups of marked cells (also across corners), [n, 2] as (x, y)."""
    left, middles = {tuple(point) for point in np.argwhere(where)}, []
    while left:
        group, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            group.append((column, row))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += sorted(near)
        middles.append(np.mean(group, 0))
    return np.array(middles).reshape(-1, 2)


def cell(point: NDArray[np.float64], size: int) -> int:
    """The argument that means this point (x, y)."""
    x, y = (int(np.clip(round(float(value)), 0, size - 1)) for value in point)
    return y * size + x


def nearest(points: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point nearest to another."""
    return points[int(np.square(points - to).sum(1).argmin())]


@dataclass
class Player:
    """A policy in one game: what it may call, the size of its layers, what it remembers in this episode, and its numbers."""

    functions: tuple[str, ...]
    size: int
    rng: np.random.Generator
    memory: dict[str, Any] = field(default_factory=dict)

    def can(self, seen: Observation, name: str) -> bool:
        """Whether the function is available."""
        return name in self.functions and bool(seen["available_actions"][self.functions.index(name)])


Policy = Callable[[Player, Observation], Call]
NOTHING: Call = ("no_op", {})
ARMY: Call = ("select_army", {"select_add": 0})


def on_screen(name: str, at: int, queued: int = 0) -> Call:
    """A function whose arguments are ``queued`` and a cell of the screen."""
    return name, {"queued": queued, "screen": at}


def of_type(seen: Observation, kind: int) -> NDArray[np.bool_]:
    """The cells that show a unit of this kind, [size, size]."""
    return np.asarray(layer(seen, "unit_type") == kinds.KINDS[kind].type)
