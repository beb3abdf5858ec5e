"""Floor plans of our own levels, in DeepMind Lab's manner; they are the same wherever and whenever they are made."""

from __future__ import annotations

import numpy as np

from reproductions.dmlab.wad import START, WALL, Plan

FLOOR, APPLE, LEMON, GOAL = " ", "A", "L", "G"
#: A level has so many maps, of which an episode draws one.
MAPS = 32
#: The arena: cells of a side, and what lies in it.
ARENA, APPLES, LEMONS = 11, 14, 10
#: Mazes: cells of a side with the walls, as in DeepMind Lab's smallest, and apples.
MAZE, MAZE_APPLES = 11, 5
#: Which of labmaze's mazes a level has: one each, as nav_maze_static_01 and nav_maze_random_goal_01 do.
STATIC, RANDOM_GOAL = 1, 2

#: Labmaze's letter for cells that are in none of the rooms, which have letters from A (four, unless told otherwise).
NO_ROOM = "."

Rows = tuple[str, ...]


def arenas() -> tuple[Plan, ...]:
    """An open square of 11 by 11 cells; in each map 14 apples, 10 lemons and the start are elsewhere."""
    empty = (WALL * (ARENA + 2), *(WALL + FLOOR * ARENA + WALL,) * ARENA, WALL * (ARENA + 2))
    regions = tuple("0" * len(row) for row in empty)
    return _maps(empty, regions, APPLE * APPLES + LEMON * LEMONS, 0)


def static_mazes() -> tuple[Plan, ...]:
    """One maze with apples and a goal where they always are; the start is elsewhere in each map."""
    empty, regions = _maze(STATIC)
    return _maps(_with(empty, GOAL + APPLE * MAZE_APPLES, np.random.default_rng(STATIC)), regions, "", STATIC)


def random_goal_mazes() -> tuple[Plan, ...]:
    """One maze; apples, goal and start are elsewhere in each map."""
    empty, regions = _maze(RANDOM_GOAL)
    return _maps(empty, regions, GOAL + APPLE * MAZE_APPLES, RANDOM_GOAL)


def _maps(rows: Rows, regions: Rows, letters: str, seed: int) -> tuple[Plan, ...]:
    """Plans in each of which ``letters`` and the start are on other cells, and the player looks elsewhere."""
    plans = []
    for number in range(MAPS):
        draws = np.random.default_rng([seed, number])
        plans.append(Plan(_with(rows, START + letters, draws), regions, int(draws.integers(8)) * 45))
    return tuple(plans)


def _with(rows: Rows, letters: str, draws: np.random.Generator) -> Rows:
    """Each letter on an empty cell of its own."""
    cells = [list(row) for row in rows]
    empty = [(y, x) for y, row in enumerate(cells) for x, letter in enumerate(row) if letter == FLOOR]
    for place, letter in zip(draws.permutation(len(empty)), letters, strict=False):
        y, x = empty[place]
        cells[y][x] = letter
    return tuple(map("".join, cells))


def _maze(seed: int) -> tuple[Rows, Rows]:
    """A maze, empty, and its regions: a letter for each room; corridors have a digit for each quarter of the maze."""
    import labmaze  # here alone: names of levels are known without it

    maze = labmaze.RandomMaze(height=MAZE, width=MAZE, random_seed=seed)
    rows, rooms = (tuple(map("".join, layer)) for layer in (maze.entity_layer, maze.variations_layer))
    half = MAZE // 2 + 1
    regions = tuple(
        "".join(room if room != NO_ROOM else "1234"[2 * (y >= half) + (x >= half)] for x, room in enumerate(row))
        for y, row in enumerate(rooms)
    )
    return rows, regions
