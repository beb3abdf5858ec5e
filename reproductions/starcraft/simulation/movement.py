"""Walking, and what happens where units meet: one game loop of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.state import ATTACK_MOVE, HOLD, IDLE, MOVE, distance, finish_order

_SPEED, _ACCELERATION, _RADIUS = kinds.SPEED, kinds.ACCELERATION, kinds.RADIUS
#: The share of a disc that units packed in it cover.
_PACKED = 0.8


@compiled
def walk(unit: Any, x: float, y: float, reach: float) -> bool:
    """One loop towards a point, no nearer than ``reach``. Whether it is there now."""
    dx, dy = x - unit.x, y - unit.y
    away = np.sqrt(dx * dx + dy * dy)
    if away <= reach + 1e-9:
        unit.speed = 0.0
        return True
    unit.speed = min(_SPEED[unit.kind], unit.speed + _ACCELERATION[unit.kind])
    step = min(unit.speed, away - reach)
    unit.x += dx / away * step
    unit.y += dy / away * step
    unit.moved = True
    if away - step <= reach + 1e-9:
        unit.speed = 0.0
        return True
    return False


@compiled
def _blocked(units: Any, i: int, x: float, y: float) -> bool:
    """Whether an enemy who stands is where unit i would be, and it is not leaving him anyhow."""
    unit = units[i]
    for j in range(len(units)):
        other = units[j]
        if other.kind == 0 or _SPEED[other.kind] == 0.0 or other.owner == unit.owner or other.moved:
            continue
        room = _RADIUS[unit.kind] + _RADIUS[other.kind] - 1e-6
        after = (other.x - x) ** 2 + (other.y - y) ** 2
        if after < room * room and after < (other.x - unit.x) ** 2 + (other.y - unit.y) ** 2:
            return True
    return False


@compiled
def walk_round(units: Any, i: int, x: float, y: float, reach: float) -> bool:
    """As ``walk``, but past enemies in the way: to the side on which it is already passing, else to the other."""
    unit = units[i]
    dx, dy = x - unit.x, y - unit.y
    away = np.sqrt(dx * dx + dy * dy)
    step = min(_SPEED[unit.kind], away - reach)
    if step <= 0.0 or not _blocked(units, i, unit.x + dx / away * step, unit.y + dy / away * step):
        return walk(unit, x, y, reach)
    for side in (unit.turn, -unit.turn):
        for eighths in range(1, 6):
            angle = side * eighths * np.pi / 8.0
            u = (dx * np.cos(angle) - dy * np.sin(angle)) / away
            v = (dx * np.sin(angle) + dy * np.cos(angle)) / away
            if not _blocked(units, i, unit.x + u * step, unit.y + v * step):
                unit.turn = side
                unit.x += u * step
                unit.y += v * step
                unit.moved = True
                return False
    return False


@compiled
def crowded(units: Any, i: int, x: float, y: float) -> bool:
    """Whether comrades who stand round the point already leave no room nearer to it: then the unit has arrived."""
    mine = distance(units, i, x, y)
    standing = 0
    for j in range(len(units)):
        other = units[j]
        comrade = j != i and other.kind != 0 and other.owner == units[i].owner
        stands = (other.order == IDLE or other.order == HOLD) and not other.moved
        if comrade and stands and distance(units, j, x, y) < mine:
            standing += 1
    return standing > 0 and mine <= _RADIUS[units[i].kind] * (1.0 + np.sqrt(standing / _PACKED))


@compiled
def stroll(unit: Any) -> None:
    """One game loop of a fighter on a map without fights: it only walks."""
    unit.moved = False
    if unit.order == MOVE or unit.order == ATTACK_MOVE:
        if walk(unit, unit.order_x, unit.order_y, 0.0):
            finish_order(unit)
    elif unit.order != IDLE and unit.order != HOLD:
        finish_order(unit)


@compiled
def _yields(mover: Any, other: Any) -> float:
    """The share of an overlap that the first gives way: comrades share it, enemies push nobody who stands."""
    if mover.owner == other.owner or mover.moved == other.moved:
        return 0.5
    return 1.0 if mover.moved else 0.0


@compiled
def _shift(unit: Any, dx: float, dy: float) -> None:
    unit.x += dx
    unit.y += dy
    if unit.order == IDLE and unit.prey < 0:
        unit.guard_x += dx
        unit.guard_y += dy


@compiled
def separate(units: Any) -> None:
    """Units that overlap are pushed apart along the line between their centres."""
    for i in range(len(units)):
        if units[i].kind == 0 or _SPEED[units[i].kind] == 0.0:
            continue
        for j in range(i + 1, len(units)):
            if units[j].kind == 0 or _SPEED[units[j].kind] == 0.0:
                continue
            room = _RADIUS[units[i].kind] + _RADIUS[units[j].kind]
            dx, dy = units[j].x - units[i].x, units[j].y - units[i].y
            away = dx * dx + dy * dy
            if away >= room * room:
                continue
            away = np.sqrt(away)
            if away < 1e-6:  # in one point: along a direction of their own
                angle = 2.399963 * units[j].serial
                dx, dy = np.cos(angle), np.sin(angle)
            else:
                dx, dy = dx / away, dy / away
            overlap = room - away
            back, forth = _yields(units[i], units[j]) * overlap, _yields(units[j], units[i]) * overlap
            _shift(units[i], -dx * back, -dy * back)
            _shift(units[j], dx * forth, dy * forth)


@compiled
def keep_inside(units: Any, game: Any) -> None:
    """No unit leaves the playable region."""
    for i in range(len(units)):
        unit = units[i]
        if unit.kind != 0 and _SPEED[unit.kind] > 0.0:
            unit.x = min(max(unit.x, game.x0), game.x1)
            unit.y = min(max(unit.y, game.y0), game.y1)
