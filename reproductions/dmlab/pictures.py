"""Pictures of levels, as arrays: what a player sees, and maps from above."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reproductions.dmlab import plans
from reproductions.dmlab.doom import Doom
from reproductions.dmlab.wad import START, WALL, Plan

#: Colours of a map from above; the floor is of the colour of its region.
COLOURS: Mapping[str, tuple[int, int, int]] = {
    WALL: (40, 40, 40),
    plans.APPLE: (200, 40, 30),
    plans.LEMON: (230, 200, 40),
    plans.GOAL: (60, 90, 220),
    START: (30, 140, 60),
}
REGIONS: Mapping[str, tuple[int, int, int]] = {
    "0": (225, 215, 200),
    "1": (226, 205, 180),
    "2": (205, 205, 205),
    "3": (215, 195, 165),
    "4": (190, 195, 205),
    "A": (190, 205, 180),
    "B": (185, 195, 230),
    "C": (235, 225, 190),
    "D": (235, 195, 190),
}


def first_person(
    level: str, root: Path, size: int, count: int, seed: int = 0, apart: int = 10
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``count`` views of random play, ``apart`` steps apart: as drawn [count, 120, 160, 3], as seen [count, size, size, 3]."""
    environment = Doom(level, 1, size, root)
    draws = np.random.default_rng(seed)
    drawn, seen = [], []
    try:
        environment.begin(seed)
        for _ in range(count):
            drawn.append(environment.screens()[0])
            seen.append(environment.observe()["pixels"][0].transpose(1, 2, 0).copy())
            for action in draws.integers(environment.actions.n, size=(apart, 1)):
                environment.step(action)
    finally:
        environment.close()
    return np.stack(drawn), np.stack(seen)


def from_above(plan: Plan, cell: int = 16) -> NDArray[np.uint8]:
    """A map, uint8 [rows * cell, columns * cell, 3]; what lies in a cell fills its middle."""
    rows, columns = len(plan.rows), len(plan.rows[0])
    picture = np.empty((rows * cell, columns * cell, 3), np.uint8)
    picture[:] = COLOURS[WALL]
    for y, x, letter in plan.cells():
        square = picture[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell]
        square[:] = REGIONS[plan.regions[y][x]]
        if letter in COLOURS:
            square[cell // 4 : -cell // 4, cell // 4 : -cell // 4] = COLOURS[letter]
    return picture
