"""The feature layers of a game: what each cell of the screen and of the minimap shows."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproductions.starcraft import kinds, maps
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.sight import seen
from reproductions.starcraft.simulation.state import AGENT, ENEMY
from reproductions.starcraft.specification import ENEMY as ENEMY_RELATION
from reproductions.starcraft.specification import MINIMAP, NEUTRAL, SCREEN, SELF

_VIEW, _MAP = maps.VIEW, maps.MAP_SIZE
_TYPE, _RADIUS, _HIT_POINTS = kinds.TYPE, kinds.RADIUS, kinds.HIT_POINTS
_NEUTRAL_PLAYER, _FOGGED, _VISIBLE = 16, 1, 2
_MOST_DENSITY = 15
_SELF, _NEUTRAL, _ENEMY = SELF, NEUTRAL, ENEMY_RELATION
_VISIBILITY, _PLAYER, _RELATIVE, _UNIT_TYPE, _SELECTED, _HEALTH, _RATIO, _DENSITY = range(len(SCREEN))
_MAP_VISIBILITY, _MAP_CAMERA, _MAP_PLAYER, _MAP_RELATIVE, _MAP_SELECTED = range(len(MINIMAP))


@compiled
def _span(low: float, high: float, start: float, cell: float, size: int) -> tuple[int, int]:
    """First and one past the last of the cells, which begin at ``start``, whose middles are from low to high."""
    first = int(np.ceil((low - start) / cell - 0.5))
    last = int(np.floor((high - start) / cell - 0.5)) + 1
    return min(max(first, 0), size), min(max(last, 0), size)


@compiled
def _draw_visibility(
    layer: Any, units: Any, game: Any, explored: Any, fog: bool, left: float, top: float, cell: float
) -> None:
    """Outside the playable region nothing is seen; inside, without fog, everything. layer: [size, size], zeros."""
    size = layer.shape[0]
    first_row, last_row = _span(-game.y1, -game.y0, -top, cell, size)
    first, last = _span(game.x0, game.x1, left, cell, size)
    if not fog:
        layer[first_row:last_row, first:last] = _VISIBLE
        return
    for row in range(first_row, last_row):
        y = top - (row + 0.5) * cell
        for column in range(first, last):
            x = left + (column + 0.5) * cell
            if seen(units, x, y):
                layer[row, column] = _VISIBLE
            elif explored[int(y), int(x)]:
                layer[row, column] = _FOGGED


@compiled
def _put(screen: Any, unit: Any, player: int, relative: int, row: int, column: int) -> None:
    screen[_PLAYER, row, column] = player
    screen[_RELATIVE, row, column] = relative
    screen[_UNIT_TYPE, row, column] = _TYPE[unit.kind]
    screen[_SELECTED, row, column] = 1 if unit.selected else 0
    most = _HIT_POINTS[unit.kind]
    screen[_HEALTH, row, column] = int(unit.hit_points)
    screen[_RATIO, row, column] = int(255.0 * unit.hit_points / most) if most > 0.0 else 0
    screen[_DENSITY, row, column] = min(_MOST_DENSITY, screen[_DENSITY, row, column] + 1)


@compiled
def _draw_on_screen(screen: Any, game: Any, unit: Any, player: int, relative: int, size: int) -> None:
    """In all cells whose middle the unit covers, and in the one where its own middle is: no unit is too small to be seen."""
    scale, radius = size / _VIEW, _RADIUS[unit.kind]
    x = (unit.x - game.camera_x + _VIEW / 2) * scale
    y = (game.camera_y + _VIEW / 2 - unit.y) * scale
    reach = radius * scale
    for row in range(max(0, int(y - reach)), min(size, int(y + reach) + 1)):
        for column in range(max(0, int(x - reach)), min(size, int(x + reach) + 1)):
            own = row <= y < row + 1 and column <= x < column + 1
            if own or (row + 0.5 - y) ** 2 + (column + 0.5 - x) ** 2 <= reach * reach:
                _put(screen, unit, player, relative, row, column)


@compiled
def draw(units: Any, game: Any, explored: Any, fog: bool, screen: Any, minimap: Any) -> None:
    """Write the layers of ``specification``: screen int32 [8, S, S], minimap int32 [5, S, S]; row 0 is the top."""
    size = screen.shape[1]
    screen[:] = 0
    minimap[:] = 0
    cell, square, half = _VIEW / size, _MAP / size, _VIEW / 2
    left, top = game.camera_x - half, game.camera_y + half
    _draw_visibility(screen[_VISIBILITY], units, game, explored, fog, left, top, cell)
    _draw_visibility(minimap[_MAP_VISIBILITY], units, game, explored, fog, 0.0, _MAP, square)
    first_row, last_row = _span(-top, half - game.camera_y, -_MAP, square, size)
    first, last = _span(left, game.camera_x + half, 0.0, square, size)
    minimap[_MAP_CAMERA, first_row:last_row, first:last] = 1
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == 0 or (fog and unit.owner == ENEMY and not seen(units, unit.x, unit.y)):
            continue
        player, relative = _NEUTRAL_PLAYER, _NEUTRAL
        if unit.owner == AGENT:
            player, relative = AGENT, _SELF
        elif unit.owner == ENEMY:
            player, relative = ENEMY, _ENEMY
        _draw_on_screen(screen, game, unit, player, relative, size)
        row, column = int((_MAP - unit.y) / square), int(unit.x / square)
        minimap[_MAP_PLAYER, row, column] = player
        minimap[_MAP_RELATIVE, row, column] = relative
        minimap[_MAP_SELECTED, row, column] = max(minimap[_MAP_SELECTED, row, column], 1 if unit.selected else 0)
