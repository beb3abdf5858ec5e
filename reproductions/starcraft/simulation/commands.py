"""pysc2's functions on a game: what is clicked, selected and ordered, and which functions are available."""

from __future__ import annotations

from typing import Any

from reproductions.starcraft import kinds, maps
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.economy import affordable, buildable, gather, site, train
from reproductions.starcraft.simulation.sight import seen
from reproductions.starcraft.simulation.state import (
    AGENT,
    ATTACK,
    ATTACK_MOVE,
    BUILD,
    CONSTRUCT,
    ENEMY,
    HOLD,
    IDLE,
    MOVE,
    NOBODY,
    distance,
    order,
)
from reproductions.starcraft.specification import FUNCTIONS

_VIEW, _MAP, _BELOW = maps.VIEW, maps.MAP_SIZE, maps.CAMERA_BELOW_CENTRE
_RADIUS, _SPEED = kinds.RADIUS, kinds.SPEED
_BEACON, _PATCH, _SCV, _MARINE = kinds.BEACON, kinds.PATCH, kinds.SCV, kinds.MARINE
_CENTER, _REFINERY, _BARRACKS, _DEPOT = kinds.COMMAND_CENTER, kinds.REFINERY, kinds.BARRACKS, kinds.SUPPLY_DEPOT

(
    _NO_OP, _MOVE_CAMERA, _SELECT_POINT, _SELECT_RECT, _SELECT_IDLE_WORKER, _SELECT_ARMY, _ATTACK_SCREEN, _ATTACK_MINIMAP,
    _BUILD_BARRACKS, _BUILD_CENTER, _BUILD_REFINERY, _BUILD_DEPOT, _HARVEST, _HOLD, _MOVE_SCREEN, _MOVE_MINIMAP,
    _SMART_SCREEN, _SMART_MINIMAP, _STOP, _TRAIN_MARINE, _TRAIN_SCV,
) = (function.id for function in FUNCTIONS.values())  # fmt: skip

#: Columns of a row of arguments: the function's identifier, then its arguments in the order of ``specification.ARGUMENTS``.
FUNCTION, QUEUED, POINT_ACT, ADD, WORKER, SCREEN, SCREEN2, MINIMAP = range(8)


@compiled
def screen_point(game: Any, cell: int, size: int) -> tuple[float, float]:
    """The world's point in the middle of a cell of the screen."""
    column, row = cell % size, cell // size
    return (
        game.camera_x + ((column + 0.5) / size - 0.5) * _VIEW,
        game.camera_y - ((row + 0.5) / size - 0.5) * _VIEW,
    )


@compiled
def _minimap_point(cell: int, size: int) -> tuple[float, float]:
    return (cell % size + 0.5) / size * _MAP, _MAP - (cell // size + 0.5) / size * _MAP


@compiled
def unit_at(units: Any, x: float, y: float, cell: float, fog: bool) -> int:
    """The unit that a cell of this width round (x, y) shows: the last that covers its middle or has its own there; or -1."""
    shown = -1
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == 0 or unit.kind == _BEACON or (fog and unit.owner == ENEMY and not seen(units, unit.x, unit.y)):
            continue
        inside = -cell / 2 <= unit.x - x < cell / 2 and -cell / 2 < unit.y - y <= cell / 2
        if inside or distance(units, i, x, y) <= _RADIUS[unit.kind]:
            shown = i
    return shown


@compiled
def _clear_selection(units: Any) -> None:
    for i in range(len(units)):
        units[i].selected = False


@compiled
def _select_point(units: Any, act: int, i: int, game: Any) -> None:
    """Click (0), toggle (1), all of its type on the screen (2), and add these (3)."""
    if i < 0:
        return
    if act == 1:
        if units[i].owner == AGENT:
            units[i].selected = not units[i].selected
        return
    if units[i].owner != AGENT and act == 3:
        return
    if act != 3:
        _clear_selection(units)
    if act == 0 or units[i].owner != AGENT:
        units[i].selected = True
        return
    for j in range(len(units)):
        unit = units[j]
        near = abs(unit.x - game.camera_x) <= _VIEW / 2 and abs(unit.y - game.camera_y) <= _VIEW / 2
        if near and unit.kind == units[i].kind and unit.owner == AGENT:
            unit.selected = True


@compiled
def _select_rect(units: Any, add: int, x0: float, y0: float, x1: float, y1: float) -> None:
    """The agent's units that touch the rectangle; its buildings only if no unit does. An empty one changes nothing."""
    for mobile in (True, False):
        hits = 0
        for i in range(len(units)):
            unit = units[i]
            if unit.kind == 0 or unit.owner != AGENT or (_SPEED[unit.kind] > 0.0) != mobile:
                continue
            dx = max(x0 - unit.x, 0.0, unit.x - x1)
            dy = max(y0 - unit.y, 0.0, unit.y - y1)
            if dx * dx + dy * dy <= _RADIUS[unit.kind] ** 2:
                if hits == 0 and add == 0:
                    _clear_selection(units)
                hits += 1
                unit.selected = True
        if hits > 0:
            return


@compiled
def _select_army(units: Any, add: int) -> None:
    if add == 0:
        _clear_selection(units)
    for i in range(len(units)):
        if units[i].kind == _MARINE and units[i].owner == AGENT:
            units[i].selected = True


@compiled
def _select_idle_worker(units: Any, act: int) -> None:
    """One that is not selected yet, instead of (0) or beside (1) what is selected; or all (2, 3)."""
    chosen = -1
    for i in range(len(units)):
        idle = units[i].kind == _SCV and units[i].order == IDLE
        if idle and (chosen < 0 or (units[chosen].selected and not units[i].selected)):
            chosen = i
    if act == 0 or act == 2:
        _clear_selection(units)
    for i in range(len(units)):
        if units[i].kind == _SCV and units[i].order == IDLE and (act >= 2 or i == chosen):
            units[i].selected = True


@compiled
def _obeys(unit: Any) -> bool:
    """Whether an order reaches it: a unit of the agent's that is selected, can walk and is not building something."""
    return (
        unit.kind != 0 and unit.owner == AGENT and unit.selected and _SPEED[unit.kind] > 0.0 and unit.order != CONSTRUCT
    )


@compiled
def _go(units: Any, queued: bool, code: int, x: float, y: float) -> None:
    for i in range(len(units)):
        if _obeys(units[i]):
            order(units[i], queued, code, x, y, -1, 0, 0)


@compiled
def _attack(units: Any, queued: bool, x: float, y: float, target: int) -> None:
    """On a unit of either player: that unit. Anywhere else: walk there and attack whom they meet."""
    if target >= 0 and units[target].owner == NOBODY:
        target = -1
    for i in range(len(units)):
        if _obeys(units[i]) and i != target:
            if target >= 0 and units[i].kind == _MARINE:
                order(units[i], queued, ATTACK, x, y, target, units[target].serial, 0)
            else:
                order(units[i], queued, ATTACK_MOVE, x, y, -1, 0, 0)


@compiled
def _harvest(units: Any, queued: bool, target: int) -> bool:
    """Send workers to a patch or a refinery; buildings that train set their rally point there. Whether it is one."""
    if target < 0 or (units[target].kind != _PATCH and (units[target].kind != _REFINERY or units[target].unfinished)):
        return False
    for i in range(len(units)):
        if _obeys(units[i]) and units[i].kind == _SCV:
            gather(units, units[i], queued, target)
    return True


@compiled
def _rally(units: Any, x: float, y: float, target: int) -> None:
    for i in range(len(units)):
        unit = units[i]
        if unit.selected and unit.owner == AGENT and (unit.kind == _CENTER or unit.kind == _BARRACKS):
            unit.rally_x, unit.rally_y, unit.rally_target = x, y, target
            if target >= 0:
                unit.rally_serial = units[target].serial


@compiled
def _smart(units: Any, queued: bool, x: float, y: float, target: int) -> None:
    """What a right click means: attack an enemy, harvest a resource, else walk."""
    _rally(units, x, y, target)
    if target >= 0 and units[target].owner == ENEMY:
        _attack(units, queued, x, y, target)
        return
    source = _harvest(units, queued, target)
    for i in range(len(units)):
        if _obeys(units[i]) and not (source and units[i].kind == _SCV):
            order(units[i], queued, MOVE, x, y, -1, 0, 0)


@compiled
def _build(units: Any, game: Any, queued: bool, kind: int, x: float, y: float) -> None:
    """The nearest selected worker goes and builds, if the site is free and the price there."""
    x, y = site(units, kind, x, y)
    if not affordable(units, game, kind) or not buildable(units, game, kind, x, y):
        return
    best, least = -1, 1e9
    for i in range(len(units)):
        if _obeys(units[i]) and units[i].kind == _SCV:
            away = distance(units, i, x, y)
            if away < least:
                best, least = i, away
    if best >= 0:
        order(units[best], queued, BUILD, x, y, -1, 0, kind)


@compiled
def act(units: Any, game: Any, arguments: Any, size: int, fog: bool) -> None:
    """Carry out one function. arguments: int64 [8], see the columns above; cells of screen and minimap of this size."""
    function, queued = arguments[FUNCTION], arguments[QUEUED] == 1
    if function == _NO_OP:
        return
    if function == _SELECT_ARMY:
        _select_army(units, arguments[ADD])
    elif function == _SELECT_IDLE_WORKER:
        _select_idle_worker(units, arguments[WORKER])
    elif function == _STOP:
        _go(units, queued, IDLE, 0.0, 0.0)
    elif function == _HOLD:
        _go(units, queued, HOLD, 0.0, 0.0)
    elif function == _TRAIN_SCV:
        train(units, game, _CENTER, _SCV)
    elif function == _TRAIN_MARINE:
        train(units, game, _BARRACKS, _MARINE)
    elif function in (_MOVE_CAMERA, _MOVE_MINIMAP, _ATTACK_MINIMAP, _SMART_MINIMAP):
        x, y = _minimap_point(arguments[MINIMAP], size)
        if function == _MOVE_CAMERA:
            game.camera_x = min(max(x, game.x0), game.x1)
            game.camera_y = min(max(y, game.y0 - _BELOW), game.y1)
        else:
            _go(units, queued, ATTACK_MOVE if function == _ATTACK_MINIMAP else MOVE, x, y)
    else:
        _act_on_screen(units, game, function, queued, arguments, size, fog)


@compiled
def _act_on_screen(units: Any, game: Any, function: int, queued: bool, arguments: Any, size: int, fog: bool) -> None:
    x, y = screen_point(game, arguments[SCREEN], size)
    cell = _VIEW / size
    target = unit_at(units, x, y, cell, fog)
    if function == _SELECT_POINT:
        _select_point(units, arguments[POINT_ACT], target, game)
    elif function == _SELECT_RECT:
        u, v = screen_point(game, arguments[SCREEN2], size)
        half = cell / 2
        _select_rect(units, arguments[ADD], min(x, u) - half, min(y, v) - half, max(x, u) + half, max(y, v) + half)
    elif function == _MOVE_SCREEN:
        _go(units, queued, MOVE, x, y)
    elif function == _ATTACK_SCREEN:
        _attack(units, queued, x, y, target)
    elif function == _SMART_SCREEN:
        _smart(units, queued, x, y, target)
    elif function == _HARVEST:
        _harvest(units, queued, target)
    elif function == _BUILD_DEPOT:
        _build(units, game, queued, _DEPOT, x, y)
    elif function == _BUILD_BARRACKS:
        _build(units, game, queued, _BARRACKS, x, y)
    elif function == _BUILD_REFINERY:
        _build(units, game, queued, _REFINERY, x, y)
    elif function == _BUILD_CENTER:
        _build(units, game, queued, _CENTER, x, y)


@compiled
def available(units: Any, game: Any, functions: Any, mask: Any) -> None:
    """Which functions can be called now. functions: int64 [n], identifiers; mask: bool [n], written."""
    army, idle, walking, worker, rallying, center, barracks = False, False, False, False, False, False, False
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == 0 or unit.owner != AGENT:
            continue
        army |= unit.kind == _MARINE
        idle |= unit.kind == _SCV and unit.order == IDLE
        if unit.selected and not unit.unfinished:
            walking |= _obeys(unit)
            worker |= _obeys(unit) and unit.kind == _SCV
            center |= unit.kind == _CENTER
            barracks |= unit.kind == _BARRACKS
    rallying = center or barracks
    for n in range(len(functions)):
        function = functions[n]
        if function in (_NO_OP, _MOVE_CAMERA, _SELECT_POINT, _SELECT_RECT):
            mask[n] = True
        elif function == _SELECT_ARMY:
            mask[n] = army
        elif function == _SELECT_IDLE_WORKER:
            mask[n] = idle
        elif function == _HARVEST:
            mask[n] = worker
        elif function in (_SMART_SCREEN, _SMART_MINIMAP):
            mask[n] = walking or rallying
        elif function == _TRAIN_SCV:
            mask[n] = center and affordable(units, game, _SCV)
        elif function == _TRAIN_MARINE:
            mask[n] = barracks and affordable(units, game, _MARINE)
        elif function == _BUILD_DEPOT:
            mask[n] = worker and affordable(units, game, _DEPOT)
        elif function == _BUILD_BARRACKS:
            mask[n] = worker and affordable(units, game, _BARRACKS)
        elif function == _BUILD_REFINERY:
            mask[n] = worker and affordable(units, game, _REFINERY)
        elif function == _BUILD_CENTER:
            mask[n] = worker and affordable(units, game, _CENTER)
        else:
            mask[n] = walking
