"""The maps' scripts: how each episode begins, and what happens after every game loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproductions.starcraft import kinds, maps
from reproductions.starcraft.simulation.chance import between, uniform
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.economy import gather
from reproductions.starcraft.simulation.state import AGENT, ENEMY, NOBODY, count, distance, spawn

(
    MOVE_TO_BEACON,
    COLLECT_MINERAL_SHARDS,
    DEFEAT_ROACHES,
    DEFEAT_ZERGLINGS_AND_BANELINGS,
    FIND_AND_DEFEAT_ZERGLINGS,
    COLLECT_MINERALS_AND_GAS,
    BUILD_MARINES,
) = range(len(maps.MAPS))

_MARINE, _ROACH, _ZERGLING, _BANELING = kinds.MARINE, kinds.ROACH, kinds.ZERGLING, kinds.BANELING
_BEACON, _SHARD, _PATCH, _GEYSER = kinds.BEACON, kinds.SHARD, kinds.PATCH, kinds.GEYSER
_SCV, _CENTER = kinds.SCV, kinds.COMMAND_CENTER
_RADIUS = kinds.RADIUS

# The maps' numbers, as plain ones: those that the compiler knows.
_BX0, _BY0, _BX1, _BY1 = (float(side) for side in maps.BEACON.region)
_HOLE_X, _HOLE_Y, _HOLE = maps.BEACON.hole_x, maps.BEACON.hole_y, maps.BEACON.hole_radius
_BEACON_AWAY, _BEACON_REACH = maps.BEACON.from_marine, maps.BEACON.reach
_SX0, _SY0, _SX1, _SY1 = (float(side) for side in maps.SHARDS.region)
_SHARD_MARINES, _SHARD_COUNT, _SHARD_AWAY = maps.SHARDS.marines, maps.SHARDS.shards, maps.SHARDS.from_marine
_SHARD_REACH = kinds.SHARD_REACH
_LEFT, _RIGHT = tuple(map(float, maps.ROACHES.left)), tuple(map(float, maps.ROACHES.right))
_WAVE_MARINES, _WAVE_LOSS = maps.ROACHES.marines, maps.ROACHES.loss
_ROACH_KILL, _ROACH_ADDED, _ROACH_ROWS = maps.ROACHES.kill, maps.ROACHES.added, maps.ROACH_ROWS
_SWARM_KILL, _SWARM_ADDED = maps.BANELINGS.kill, maps.BANELINGS.added
_ZERGLINGS, _BANELINGS = maps.ZERGLING_COUNT, maps.BANELING_COUNT
_FX0, _FY0, _FX1, _FY1 = (float(side) for side in maps.FIND.region)
_FIND = maps.FIND
_FIND_MARINES, _FIND_MARINE_AWAY, _FIND_COUNT = _FIND.marines, _FIND.marine_distance, _FIND.zerglings
_FIRST_NEAREST, _FIRST_FARTHEST, _RING_INNER, _RING_OUTER = (
    _FIND.first_nearest,
    _FIND.first_farthest,
    _FIND.ring_inner,
    _FIND.ring_outer,
)
_FIND_HOLE, _APART, _FROM_MARINE, _FIND_KILL, _FIND_LOSS = (
    _FIND.hole_radius,
    _FIND.apart,
    _FIND.from_marine,
    _FIND.kill,
    _FIND.loss,
)
_GAS_PATCHES, _GAS_GEYSERS = np.array(maps.GAS.patches), np.array(maps.GAS.geysers)
_MARINE_PATCHES = np.array(maps.MARINES.patches)
_CENTER_X, _CENTER_Y = maps.GAS.command_center
_COLUMNS, _ROWS = maps.GAS.worker_columns, maps.GAS.worker_rows
_MINERALS_AT_FIRST = maps.GAS.minerals
_FIRST_X, _FIRST_Y = maps.FIRST_PATCH


@compiled
def _nearest(units: Any, kind: int, x: float, y: float) -> float:
    """Distance from a point to the nearest unit of a kind; very large if there is none."""
    least = 1e9
    for i in range(len(units)):
        if units[i].kind == kind:
            least = min(least, distance(units, i, x, y))
    return least


@compiled
def _place_beacon(units: Any, game: Any, beacon: int, marine: int) -> None:
    while True:
        x, y = between(game, _BX0, _BX1), between(game, _BY0, _BY1)
        outside = (x - _HOLE_X) ** 2 + (y - _HOLE_Y) ** 2 >= _HOLE * _HOLE
        if outside and distance(units, marine, x, y) >= _BEACON_AWAY:
            break
    units[beacon].x, units[beacon].y = x, y


@compiled
def _place_shards(units: Any, game: Any) -> None:
    for _ in range(_SHARD_COUNT):
        while True:
            x, y = between(game, _SX0, _SX1), between(game, _SY0, _SY1)
            if _nearest(units, _MARINE, x, y) >= _SHARD_AWAY:
                break
        spawn(units, game, _SHARD, NOBODY, x, y)


@compiled
def _free(units: Any, kind: int, x: float, y: float) -> bool:
    for i in range(len(units)):
        other = units[i]
        if other.kind != 0 and distance(units, i, x, y) < _RADIUS[other.kind] + _RADIUS[kind] - 1e-6:
            return False
    return True


@compiled
def _spawn_beside(units: Any, game: Any, kind: int, owner: int, x: float, y: float) -> int:
    """As near to the point as there is room: rings of the unit's own width, six more places in each."""
    if _free(units, kind, x, y):
        return spawn(units, game, kind, owner, x, y)
    for ring in range(1, 8):
        for place in range(6 * ring):
            angle = 2.0 * np.pi * place / (6 * ring)
            u, v = x + 2.0 * _RADIUS[kind] * ring * np.cos(angle), y + 2.0 * _RADIUS[kind] * ring * np.sin(angle)
            if _free(units, kind, u, v):
                return spawn(units, game, kind, owner, u, v)
    return spawn(units, game, kind, owner, x, y)


@compiled
def _line(i: int) -> int:
    """Where the i-th marine (from 1) stands in its line: 0, +1, -1, +2, -2, ..."""
    return (i // 2) * (1 - 2 * (i % 2))


@compiled
def _wave(units: Any, game: Any, which: int, added: int) -> None:
    """All marines stand in a line again, with new ones, all of them selected; the enemies stand on the other side."""
    marines = 0
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == _MARINE:
            left = unit.hit_points
            unit.kind = 0
            new = spawn(units, game, _MARINE, AGENT, 0.0, 0.0)
            units[new].hit_points = left
            marines += 1
        unit.missile_target = -1
    for _ in range(added):
        if marines < len(units) - _ZERGLINGS - _BANELINGS and spawn(units, game, _MARINE, AGENT, 0.0, 0.0) >= 0:
            marines += 1
    coin = uniform(game) < 0.5
    side, other = (_LEFT, _RIGHT) if coin else (_RIGHT, _LEFT)
    x, y = between(game, side[0], side[2]), between(game, side[1], side[3])
    place = 0
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == _MARINE:
            place += 1
            unit.x, unit.y = x, min(max(y + _line(place), game.y0), game.y1)
            unit.guard_x, unit.guard_y, unit.selected = unit.x, unit.y, True
    x, y = between(game, other[0], other[2]), between(game, other[1], other[3])
    if which == DEFEAT_ROACHES:
        for row in _ROACH_ROWS:
            spawn(units, game, _ROACH, ENEMY, x, y + row)
        return
    for _ in range(_ZERGLINGS):
        _spawn_beside(units, game, _ZERGLING, ENEMY, x, y)
    for _ in range(_BANELINGS):
        _spawn_beside(units, game, _BANELING, ENEMY, x, y)


@compiled
def _ring_point(game: Any, inner: float, outer: float) -> tuple[float, float]:
    """Uniform over the area of a ring round the middle of the playable region."""
    angle = between(game, 0.0, 2.0 * np.pi)
    away = np.sqrt(between(game, inner * inner, outer * outer))
    return (game.x0 + game.x1) / 2 + away * np.cos(angle), (game.y0 + game.y1) / 2 + away * np.sin(angle)


@compiled
def _begin_find(units: Any, game: Any) -> None:
    middle_x, middle_y = (game.x0 + game.x1) / 2, (game.y0 + game.y1) / 2
    for i in range(1, _FIND_MARINES + 1):
        angle = (120.0 * i + 90.0) * np.pi / 180.0
        x, y = middle_x + _FIND_MARINE_AWAY * np.cos(angle), middle_y + _FIND_MARINE_AWAY * np.sin(angle)
        units[spawn(units, game, _MARINE, AGENT, x, y)].selected = True
    angle, away = between(game, 0.0, 2.0 * np.pi), between(game, _FIRST_NEAREST, _FIRST_FARTHEST)
    spawn(units, game, _ZERGLING, ENEMY, middle_x + away * np.cos(angle), middle_y + away * np.sin(angle))
    while True:
        x, y = _ring_point(game, _RING_INNER, _RING_OUTER)
        if _nearest(units, _ZERGLING, x, y) >= _APART:
            break
    spawn(units, game, _ZERGLING, ENEMY, x, y)
    placed, tries = 2, 0
    while placed < _FIND_COUNT:
        x, y = between(game, _FX0, _FX1), between(game, _FY0, _FY1)
        outside = (x - middle_x) ** 2 + (y - middle_y) ** 2 >= _FIND_HOLE * _FIND_HOLE
        # A set that leaves no room for its last ones is completed with less distance, where the script would try for ever.
        tries += 1
        if outside and _nearest(units, _ZERGLING, x, y) >= _APART * min(1.0, 20000.0 / tries):
            spawn(units, game, _ZERGLING, ENEMY, x, y)
            placed += 1


@compiled
def _find_again(units: Any, game: Any) -> None:
    placed, tries = 0, 0
    while placed < _FIND_COUNT:
        x, y = between(game, game.x0, game.x1), between(game, game.y0, game.y1)
        tries += 1
        near = _nearest(units, _ZERGLING, x, y) < _APART * min(1.0, 20000.0 / tries)
        if not near and _nearest(units, _MARINE, x, y) >= _FROM_MARINE:
            spawn(units, game, _ZERGLING, ENEMY, x, y)
            placed += 1


@compiled
def _begin_base(units: Any, game: Any, patches: Any) -> None:
    for n in range(len(patches)):
        spawn(units, game, _PATCH, NOBODY, patches[n, 0], patches[n, 1])
    center = spawn(units, game, _CENTER, AGENT, _CENTER_X, _CENTER_Y)
    units[center].x, units[center].y = _CENTER_X, _CENTER_Y
    side = 1.0 if uniform(game) < 0.5 else -1.0
    for row in _ROWS:
        for column in _COLUMNS:
            spawn(units, game, _SCV, AGENT, _CENTER_X + side * column, _CENTER_Y + row)
    game.minerals = _MINERALS_AT_FIRST


@compiled
def _begin_building(units: Any, game: Any) -> None:
    """BuildMarines: every worker is ordered to one patch, and the command center's rally point is there."""
    _begin_base(units, game, _MARINE_PATCHES)
    patch = 0
    while units[patch].x != _FIRST_X or units[patch].y != _FIRST_Y:
        patch += 1
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == _SCV:
            gather(units, unit, False, patch)
        elif unit.kind == _CENTER:
            unit.rally_x, unit.rally_y = _FIRST_X, _FIRST_Y
            unit.rally_target, unit.rally_serial = patch, units[patch].serial


@compiled
def begin_map(units: Any, game: Any, which: int) -> None:
    """The beginning of an episode, on empty slots."""
    game.kill, game.loss = 0, 0
    if which == MOVE_TO_BEACON:
        beacon = spawn(units, game, _BEACON, NOBODY, 0.0, 0.0)
        x, y = between(game, game.x0, game.x1), between(game, game.y0, game.y1)
        _place_beacon(units, game, beacon, spawn(units, game, _MARINE, AGENT, x, y))
    elif which == COLLECT_MINERAL_SHARDS:
        for _ in range(_SHARD_MARINES):
            x, y = between(game, game.x0, game.x1), between(game, game.y0, game.y1)
            spawn(units, game, _MARINE, AGENT, x, y)
        _place_shards(units, game)
    elif which == DEFEAT_ROACHES:
        game.kill, game.loss = _ROACH_KILL, _WAVE_LOSS
        _wave(units, game, which, _WAVE_MARINES)
    elif which == DEFEAT_ZERGLINGS_AND_BANELINGS:
        game.kill, game.loss = _SWARM_KILL, _WAVE_LOSS
        _wave(units, game, which, _WAVE_MARINES)
    elif which == FIND_AND_DEFEAT_ZERGLINGS:
        game.kill, game.loss = _FIND_KILL, _FIND_LOSS
        _begin_find(units, game)
    elif which == COLLECT_MINERALS_AND_GAS:
        _begin_base(units, game, _GAS_PATCHES)
        for n in range(len(_GAS_GEYSERS)):
            spawn(units, game, _GEYSER, NOBODY, _GAS_GEYSERS[n, 0], _GAS_GEYSERS[n, 1])
    else:
        _begin_building(units, game)


@compiled
def _collect_shards(units: Any, game: Any) -> None:
    for i in range(len(units)):
        reach = _SHARD_REACH + _RADIUS[_SHARD] + _RADIUS[_MARINE]
        if units[i].kind == _SHARD and _nearest(units, _MARINE, units[i].x, units[i].y) <= reach:
            units[i].kind = 0
            units[i].selected = False
            game.score += 1
            game.minerals += 100
    if count(units, _SHARD) == 0:
        _place_shards(units, game)


@compiled
def after_loop(units: Any, game: Any, which: int) -> None:
    """What the map's script does at the end of a game loop."""
    if which == MOVE_TO_BEACON:
        if units[1].kind == _MARINE and distance(units, 1, units[0].x, units[0].y) <= _BEACON_REACH:
            game.score += 1
            _place_beacon(units, game, 0, 1)
    elif which == COLLECT_MINERAL_SHARDS:
        _collect_shards(units, game)
    elif which == COLLECT_MINERALS_AND_GAS:
        game.score = game.collected_minerals + game.collected_gas
    elif which != BUILD_MARINES:
        if count(units, _MARINE) == 0:
            game.over = True
        elif which == DEFEAT_ROACHES:
            if count(units, _ROACH) == 0:
                _wave(units, game, which, _ROACH_ADDED)
        elif which == DEFEAT_ZERGLINGS_AND_BANELINGS:
            if count(units, _ZERGLING) + count(units, _BANELING) == 0:
                _wave(units, game, which, _SWARM_ADDED)
        elif count(units, _ZERGLING) == 0:
            _find_again(units, game)
