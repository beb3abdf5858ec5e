"""The feature layers of a game: what each cell of the screen and of the minimap shows."""

from __future__ import annotations

from typing import Any

from reproductions.starcraft import kinds, maps
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.sight import seen
from reproductions.starcraft.simulation.state import AGENT, ENEMY
from reproductions.starcraft.specification import ENEMY as ENEMY_RELATION
from reproductions.starcraft.specification import MINIMAP, NEUTRAL, SCREEN, SELF

_VIEW, _MAP = maps.VIEW, maps.MAP_SIZE
_TYPE, _RADIUS, _HIT_POINTS = kinds.TYPE, kinds.RADIUS, kinds.HIT_POINTS
_NEUTRAL_PLAYER, _HIDDEN, _FOGGED, _VISIBLE = 16, 0, 1, 2
_MOST_DENSITY = 15
_SELF, _NEUTRAL, _ENEMY = SELF, NEUTRAL, ENEMY_RELATION
_VISIBILITY, _PLAYER, _RELATIVE, _UNIT_TYPE, _SELECTED, _HEALTH, _RATIO, _DENSITY = range(len(SCREEN))
_MAP_VISIBILITY, _MAP_CAMERA, _MAP_PLAYER, _MAP_RELATIVE, _MAP_SELECTED = range(len(MINIMAP))


@compiled
def _visibility(units: Any, game: Any, explored: Any, fog: bool, x: float, y: float) -> int:
    """Of a point: outside the playable region nothing is seen, without fog everything inside is."""
    if not (game.x0 <= x <= game.x1 and game.y0 <= y <= game.y1):
        return _HIDDEN
    if not fog or seen(units, x, y):
        return _VISIBLE
    return _FOGGED if explored[int(y), int(x)] else _HIDDEN


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
    cell, square = _VIEW / size, _MAP / size
    for row in range(size):
        screen_y = game.camera_y + _VIEW / 2 - (row + 0.5) * cell
        map_y = _MAP - (row + 0.5) * square
        for column in range(size):
            screen_x = game.camera_x - _VIEW / 2 + (column + 0.5) * cell
            map_x = (column + 0.5) * square
            screen[_VISIBILITY, row, column] = _visibility(units, game, explored, fog, screen_x, screen_y)
            minimap[_MAP_VISIBILITY, row, column] = _visibility(units, game, explored, fog, map_x, map_y)
            if abs(map_x - game.camera_x) <= _VIEW / 2 and abs(map_y - game.camera_y) <= _VIEW / 2:
                minimap[_MAP_CAMERA, row, column] = 1
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
