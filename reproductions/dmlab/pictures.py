"""Pictures of levels: what a player sees, and maps from above.

``python -m reproductions.dmlab.pictures reproductions/dmlab/levels.png`` draws the picture in this domain's README.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reproductions.dmlab import plans
from reproductions.dmlab.doom import Doom
from reproductions.dmlab.levels import LEVELS
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
    level: str, root: Path, size: int, count: int, seed: int = 0, steps: int = 3
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Views of ``count`` episodes, ``steps`` of random play after their beginning.

    As drawn, uint8 [count, 120, 160, 3], and as observed, uint8 [count, size, size, 3].
    """
    environment = Doom(level, count, size, root)
    try:
        environment.begin(seed)
        for actions in np.random.default_rng(seed).integers(environment.actions.n, size=(steps, count)):
            environment.step(actions)
        return environment.screens(), environment.observe()["pixels"].transpose(0, 2, 3, 1).copy()
    finally:
        environment.close()


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


def overview(root: Path, views: int = 4, size: int = 42) -> Figure:
    """A row a level: the first of its maps from above, views of other episodes, and the last of them as agents see it."""
    figure = Figure(figsize=(1.6 * (views + 2), 1.42 * len(LEVELS)), layout="constrained")
    for row, level in zip(figure.subplots(len(LEVELS), views + 2), LEVELS.values(), strict=True):
        drawn, seen = first_person(level.name, root, size, views, seed=5)
        pictures: list[NDArray[np.uint8] | None] = [None, *drawn, seen[-1]]
        if level.layout is not None:
            pictures[0] = from_above(level.layout.plans()[0])
        for ax, picture in zip(row, pictures, strict=True):
            ax.set_axis_off()
            if picture is not None:
                ax.imshow(picture, interpolation="nearest")
        row[0].set_title(level.name, fontsize=7, loc="left")
        if pictures[0] is None:
            row[0].text(0.5, 0.5, "ViZDoom's map", fontsize=7, ha="center", va="center", transform=row[0].transAxes)
        row[-1].set_title(f"as observed, {size}x{size}", fontsize=7, loc="left")
    return figure


def main() -> None:
    """Draw the overview into a file."""
    parser = argparse.ArgumentParser(description="Draw all levels on ViZDoom's engine.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    overview(arguments.data).savefig(arguments.out, dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    main()
