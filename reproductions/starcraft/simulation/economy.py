"""Workers and buildings: harvesting, building, training; one game loop of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.movement import walk
from reproductions.starcraft.simulation.state import (
    AGENT,
    BUILD,
    CONSTRUCT,
    GATHER,
    IDLE,
    MOVE,
    alive,
    begin_order,
    distance,
    finish_order,
    spawn,
)

_PATCH, _GEYSER, _SCV, _MARINE = kinds.PATCH, kinds.GEYSER, kinds.SCV, kinds.MARINE
_CENTER, _DEPOT, _REFINERY, _BARRACKS = kinds.COMMAND_CENTER, kinds.SUPPLY_DEPOT, kinds.REFINERY, kinds.BARRACKS
_RADIUS, _HALF_WIDTH, _HALF_HEIGHT = kinds.RADIUS, kinds.HALF_WIDTH, kinds.HALF_HEIGHT
_MINERALS, _VESPENE, _SUPPLY, _PROVIDES = kinds.MINERALS, kinds.VESPENE, kinds.SUPPLY, kinds.PROVIDES
_BUILD_LOOPS, _MOST_SUPPLY, _QUEUE = kinds.BUILD_LOOPS, kinds.MOST_SUPPLY, kinds.TRAINING_QUEUE
_PATCH_CLEARANCE, _GEYSER_CLEARANCE = kinds.PATCH_CLEARANCE, kinds.GEYSER_CLEARANCE
_MINERAL_LOOPS, _GAS_LOOPS, _RETURN_LOOPS = kinds.MINERAL_LOOPS, kinds.GAS_LOOPS, kinds.RETURN_LOOPS
_MINERALS_A_TRIP, _GAS_A_TRIP = kinds.MINERALS_A_TRIP, kinds.GAS_A_TRIP
#: How far a worker looks for another patch when its own is taken or exhausted.
_LOOK = 10.0


@compiled
def supply(units: Any) -> tuple[int, int]:
    """Supply in use, what is in training included, and the most there may be."""
    used, most = 0, 0
    for i in range(len(units)):
        unit = units[i]
        if unit.owner == AGENT and unit.kind != 0:
            used += _SUPPLY[unit.kind] + unit.training
            if not unit.unfinished:
                most += _PROVIDES[unit.kind]
    return used, min(most, _MOST_SUPPLY)


@compiled
def _has_depot(units: Any) -> bool:
    depots = 0
    for i in range(len(units)):
        if units[i].kind == _DEPOT and not units[i].unfinished:
            depots += 1
    return depots > 0


@compiled
def affordable(units: Any, game: Any, kind: int) -> bool:
    """Whether there are the means, the supply and the building that a kind needs."""
    if game.minerals < _MINERALS[kind] or game.gas < _VESPENE[kind]:
        return False
    if kind == _BARRACKS:
        return _has_depot(units)
    if _SUPPLY[kind] > 0:
        used, most = supply(units)
        return used + _SUPPLY[kind] <= most
    return True


@compiled
def pay(game: Any, kind: int) -> None:
    """The price of a unit."""
    game.minerals -= _MINERALS[kind]
    game.gas -= _VESPENE[kind]
    game.spent_minerals += _MINERALS[kind]
    game.spent_gas += _VESPENE[kind]


@compiled
def site(units: Any, kind: int, x: float, y: float) -> tuple[float, float]:
    """The point where a building would stand if it were ordered to (x, y): on the grid; a refinery on the geyser there."""
    if kind == _REFINERY:
        for i in range(len(units)):
            if units[i].kind == _GEYSER and distance(units, i, x, y) <= _RADIUS[_GEYSER] + 0.5:
                return units[i].x, units[i].y
    half = 0.5 * (int(2 * _HALF_WIDTH[kind]) % 2)
    return np.floor(x - half + 0.5) + half, np.floor(y - half + 0.5) + half


@compiled
def buildable(units: Any, game: Any, kind: int, x: float, y: float) -> bool:
    """Whether the site is inside the playable region and free; a refinery needs a free geyser."""
    wide, high = _HALF_WIDTH[kind], _HALF_HEIGHT[kind]
    if x - wide < game.x0 - 0.5 or x + wide > game.x1 + 0.5 or y - high < game.y0 - 0.5 or y + high > game.y1 + 0.5:
        return False
    on_geyser = False
    for i in range(len(units)):
        other = units[i]
        if other.kind == 0 or _HALF_WIDTH[other.kind] == 0.0:
            continue
        away = distance(units, i, x, y)
        if kind == _CENTER and other.kind == _PATCH and away < _PATCH_CLEARANCE:
            return False
        if kind == _CENTER and (other.kind == _GEYSER or other.kind == _REFINERY) and away < _GEYSER_CLEARANCE:
            return False
        beside = abs(other.x - x) >= wide + _HALF_WIDTH[other.kind] - 1e-6
        above = abs(other.y - y) >= high + _HALF_HEIGHT[other.kind] - 1e-6
        if beside or above:
            continue
        if kind != _REFINERY or other.kind != _GEYSER:
            return False
        on_geyser = away == 0.0
    return on_geyser or kind != _REFINERY


@compiled
def train(units: Any, game: Any, producer: int, kind: int) -> None:
    """One more unit in the queue of whichever selected building of this kind has the shortest one."""
    best, least = -1, _QUEUE
    for i in range(len(units)):
        unit = units[i]
        if (
            unit.kind == producer
            and unit.selected
            and unit.owner == AGENT
            and not unit.unfinished
            and unit.training < least
        ):
            best, least = i, unit.training
    if best >= 0 and affordable(units, game, kind):
        pay(game, kind)
        if units[best].training == 0:
            units[best].work = _BUILD_LOOPS[kind]
        units[best].training += 1


@compiled
def _is_source(unit: Any) -> bool:
    return unit.kind == _PATCH or (unit.kind == _REFINERY and not unit.unfinished)


@compiled
def _taken(units: Any, source: int, worker: int) -> bool:
    """Whether another worker is at this patch or refinery."""
    other = units[source].harvester
    return (
        other >= 0
        and other != worker
        and units[other].kind == _SCV
        and units[other].busy
        and units[other].target == source
    )


@compiled
def _other_patch(units: Any, i: int, x: float, y: float) -> int:
    """The free patch nearest to a worker, near the point; else -1."""
    best, least = -1, 1e9
    for j in range(len(units)):
        if units[j].kind == _PATCH and distance(units, j, x, y) <= _LOOK and not _taken(units, j, i):
            away = distance(units, j, units[i].x, units[i].y)
            if away < least:
                best, least = j, away
    return best


@compiled
def _nearest_center(units: Any, i: int) -> int:
    best, least = -1, 1e9
    for j in range(len(units)):
        if units[j].kind == _CENTER and units[j].owner == AGENT and not units[j].unfinished:
            away = distance(units, j, units[i].x, units[i].y)
            if away < least:
                best, least = j, away
    return best


@compiled
def _deliver(units: Any, game: Any, i: int) -> None:
    """To the nearest command center; after the delay there, what is carried is collected."""
    unit = units[i]
    center = _nearest_center(units, i)
    if center < 0:
        finish_order(unit)
        return
    if not walk(unit, units[center].x, units[center].y, _RADIUS[_CENTER] + _RADIUS[_SCV]):
        unit.work = _RETURN_LOOPS
        return
    unit.work -= 1.0
    if unit.work <= 0.0:
        if unit.cargo_gas:
            game.gas += unit.cargo
            game.collected_gas += unit.cargo
        else:
            game.minerals += unit.cargo
            game.collected_minerals += unit.cargo
        unit.cargo = 0


@compiled
def _harvest(units: Any, game: Any, i: int) -> None:
    """One loop of a worker's round: to the source, work there alone, back, and again."""
    unit = units[i]
    if unit.cargo > 0:
        _deliver(units, game, i)
        return
    if not alive(units, unit.target, unit.target_serial) or not _is_source(units[unit.target]):
        other = _other_patch(units, i, unit.order_x, unit.order_y)
        if other < 0:
            finish_order(unit)
            return
        unit.target, unit.target_serial, unit.busy = other, units[other].serial, False
    source = units[unit.target]
    if unit.busy:
        unit.work -= 1.0
        if unit.work <= 0.0:
            unit.busy, unit.cargo_gas, source.harvester = False, source.kind == _REFINERY, -1
            unit.cargo = min(source.content, _GAS_A_TRIP if unit.cargo_gas else _MINERALS_A_TRIP)
            source.content -= unit.cargo
            unit.work = _RETURN_LOOPS
            if source.content <= 0 and source.kind == _PATCH:
                source.kind = 0
            elif unit.cargo == 0:
                finish_order(unit)
        return
    if not walk(unit, source.x, source.y, _RADIUS[source.kind] + _RADIUS[_SCV]):
        return
    if not _taken(units, unit.target, i):
        source.harvester, unit.busy = i, True
        unit.work = _GAS_LOOPS if source.kind == _REFINERY else _MINERAL_LOOPS
    elif source.kind == _PATCH:
        other = _other_patch(units, i, source.x, source.y)
        if other >= 0:
            unit.target, unit.target_serial = other, units[other].serial


@compiled
def gather(units: Any, unit: Any, queued: bool, source: int) -> None:
    """Order a worker to a patch or refinery."""
    if queued and unit.order != IDLE:
        return
    unit.waiting = 0
    begin_order(unit, GATHER, units[source].x, units[source].y, source, units[source].serial, 0)


@compiled
def _begin_building(units: Any, game: Any, i: int) -> None:
    """At the site: pay and begin, if it is still possible."""
    unit = units[i]
    kind, x, y = unit.making, unit.order_x, unit.order_y
    if not affordable(units, game, kind) or not buildable(units, game, kind, x, y):
        finish_order(unit)
        return
    content = 0
    if kind == _REFINERY:
        for j in range(len(units)):
            if units[j].kind == _GEYSER and units[j].x == x and units[j].y == y:
                content = units[j].content
                units[j].kind = 0
    building = spawn(units, game, kind, AGENT, x, y)
    if building < 0:
        finish_order(unit)
        return
    pay(game, kind)
    units[building].unfinished, units[building].content = True, content
    begin_order(unit, CONSTRUCT, x, y, building, units[building].serial, 0)
    unit.work = _BUILD_LOOPS[kind]


@compiled
def work(units: Any, game: Any, i: int) -> None:
    """One game loop of a worker."""
    unit = units[i]
    unit.moved = False
    if unit.order == IDLE:
        game.idle_worker_loops += 1
    elif unit.order == GATHER:
        _harvest(units, game, i)
    elif unit.order == BUILD:
        if walk(unit, unit.order_x, unit.order_y, _RADIUS[unit.making] + _RADIUS[_SCV]):
            _begin_building(units, game, i)
    elif unit.order == CONSTRUCT:
        unit.work -= 1.0
        if unit.work <= 0.0:
            building = unit.target
            units[building].unfinished = False
            finish_order(unit)
            if units[building].kind == _REFINERY and unit.order == IDLE:
                gather(units, unit, False, building)
    elif walk(unit, unit.order_x, unit.order_y, 0.0):
        finish_order(unit)


@compiled
def produce(units: Any, game: Any, i: int) -> int:
    """One game loop of a building that trains: the kind of unit that is ready now, or 0."""
    building = units[i]
    if building.training == 0:
        return 0
    building.work -= 1.0
    if building.work > 0.0:
        return 0
    kind = _SCV if building.kind == _CENTER else _MARINE
    angle = 2.399963 * game.serials
    away = _RADIUS[building.kind] + _RADIUS[kind]
    new = spawn(units, game, kind, AGENT, building.x + away * np.cos(angle), building.y + away * np.sin(angle))
    if new < 0:
        building.work = 1.0
        return 0
    building.training -= 1
    building.work = _BUILD_LOOPS[kind] if building.training > 0 else 0.0
    rally = building.rally_target
    if kind == _SCV and alive(units, rally, building.rally_serial) and _is_source(units[rally]):
        gather(units, units[new], False, rally)
    elif building.rally_x != building.x or building.rally_y != building.y:
        begin_order(units[new], MOVE, building.rally_x, building.rally_y, -1, 0, 0)
    return kind
