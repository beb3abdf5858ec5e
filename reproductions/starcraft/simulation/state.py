"""Games as records: what a unit is, what a game is, and the smallest things that are done with them.

A game is one ``GAME`` record and a row of ``UNIT`` records; an empty slot has kind 0. A serial number tells a unit from a later
one in its slot. Fields are plain numbers, so a state is its arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.compiled import compiled

# Numbers of numpy, for the compiler's sake: see kinds.
_ORDERS: Any = np.arange(8)
IDLE, MOVE, ATTACK_MOVE, ATTACK, HOLD, GATHER, BUILD, CONSTRUCT = _ORDERS
#: The most orders that wait behind the current one.
WAITING = 8
_PLAYERS: Any = np.arange(3)
NOBODY, AGENT, ENEMY = _PLAYERS

UNIT = np.dtype(
    [
        ("kind", np.int64), ("owner", np.int64), ("serial", np.int64), ("selected", np.bool_),
        ("x", np.float64), ("y", np.float64), ("hit_points", np.float64), ("speed", np.float64),
        # The order and what it is about; `making` is what to build there.
        ("order", np.int64), ("order_x", np.float64), ("order_y", np.float64),
        ("target", np.int64), ("target_serial", np.int64), ("making", np.int64),
        ("waiting", np.int64), ("waiting_order", np.int64, (WAITING,)), ("waiting_x", np.float64, (WAITING,)),
        ("waiting_y", np.float64, (WAITING,)), ("waiting_target", np.int64, (WAITING,)),
        ("waiting_serial", np.int64, (WAITING,)), ("waiting_making", np.int64, (WAITING,)),
        # Fighting: whom it chose by itself, where it stood before, its weapon, and what it has in the air.
        ("prey", np.int64), ("prey_serial", np.int64), ("guard_x", np.float64), ("guard_y", np.float64),
        ("cooldown", np.float64), ("winding", np.bool_), ("windup", np.float64),
        ("victim", np.int64), ("victim_serial", np.int64), ("called", np.float64),
        ("missile", np.float64), ("missile_target", np.int64), ("missile_serial", np.int64),
        ("moved", np.bool_), ("turn", np.float64),
        # Economy: work left in loops (mining, building, training), what is carried, what a resource holds and who is at it.
        ("work", np.float64), ("busy", np.bool_), ("cargo", np.int64), ("cargo_gas", np.bool_), ("content", np.int64),
        ("harvester", np.int64), ("unfinished", np.bool_), ("training", np.int64),
        ("rally_x", np.float64), ("rally_y", np.float64), ("rally_target", np.int64), ("rally_serial", np.int64),
    ],
    align=True,
)  # fmt: skip

GAME = np.dtype(
    [
        ("seed", np.uint64), ("counter", np.uint64), ("loop", np.int64), ("serials", np.int64), ("over", np.bool_),
        ("score", np.int64), ("camera_x", np.float64), ("camera_y", np.float64),
        ("kill", np.int64), ("loss", np.int64), ("killed_value", np.int64), ("idle_worker_loops", np.int64),
        ("minerals", np.int64), ("gas", np.int64), ("collected_minerals", np.int64), ("collected_gas", np.int64),
        ("spent_minerals", np.int64), ("spent_gas", np.int64),
        ("x0", np.float64), ("y0", np.float64), ("x1", np.float64), ("y1", np.float64),
    ],
    align=True,
)  # fmt: skip

_HIT_POINTS, _SPEED, _RADIUS, _CONTENT = kinds.HIT_POINTS, kinds.SPEED, kinds.RADIUS, kinds.CONTENT
_MINERALS, _VESPENE, _SUPPLY = kinds.MINERALS, kinds.VESPENE, kinds.SUPPLY


@compiled
def spawn(units: Any, game: Any, kind: int, owner: int, x: float, y: float) -> int:
    """A new unit in the first empty slot; -1 if there is none."""
    for i in range(len(units)):
        if units[i].kind == 0:
            unit = units[i]
            game.serials += 1
            unit.kind, unit.owner, unit.serial, unit.selected = kind, owner, game.serials, False
            unit.x, unit.y, unit.guard_x, unit.guard_y = x, y, x, y
            unit.hit_points, unit.speed, unit.content = _HIT_POINTS[kind], 0.0, _CONTENT[kind]
            unit.order, unit.target, unit.prey, unit.waiting, unit.making = IDLE, -1, -1, 0, 0
            unit.cooldown, unit.winding, unit.windup, unit.victim, unit.called = 0.0, False, 0.0, -1, 0.0
            unit.missile, unit.missile_target, unit.moved, unit.turn = 0.0, -1, False, 1.0
            unit.work, unit.busy, unit.cargo, unit.cargo_gas = 0.0, False, 0, False
            unit.harvester, unit.unfinished, unit.training = -1, False, 0
            unit.rally_x, unit.rally_y, unit.rally_target = x, y, -1
            return i
    return -1


@compiled
def alive(units: Any, i: int, serial: int) -> bool:
    """Whether slot i still holds the unit with this serial number."""
    return i >= 0 and units[i].kind != 0 and units[i].serial == serial


@compiled
def remove(units: Any, game: Any, i: int) -> None:
    """The unit dies, which scores by the map's rule."""
    unit = units[i]
    if unit.owner == ENEMY:
        game.score += game.kill
        game.killed_value += _MINERALS[unit.kind] + _VESPENE[unit.kind]
    elif unit.owner == AGENT:
        game.score += game.loss
    unit.kind = 0
    unit.selected = False


@compiled
def count(units: Any, kind: int) -> int:
    """How many units of this kind there are."""
    total = 0
    for i in range(len(units)):
        if units[i].kind == kind:
            total += 1
    return total


@compiled
def distance(units: Any, i: int, x: float, y: float) -> float:
    """From a unit's centre to a point."""
    return float(np.sqrt((units[i].x - x) ** 2 + (units[i].y - y) ** 2))


@compiled
def gap(units: Any, i: int, j: int) -> float:
    """Between the edges of two units."""
    return distance(units, i, units[j].x, units[j].y) - _RADIUS[units[i].kind] - _RADIUS[units[j].kind]


@compiled
def order(unit: Any, queued: bool, code: int, x: float, y: float, target: int, serial: int, making: int) -> None:
    """A command: at once, or behind those that the unit has. One more than ``WAITING`` is lost, as in the game."""
    if queued and unit.order != IDLE:
        place = unit.waiting
        if place < WAITING:
            unit.waiting_order[place], unit.waiting_x[place], unit.waiting_y[place] = code, x, y
            unit.waiting_target[place], unit.waiting_serial[place], unit.waiting_making[place] = target, serial, making
            unit.waiting = place + 1
        return
    unit.waiting = 0
    begin_order(unit, code, x, y, target, serial, making)


@compiled
def begin_order(unit: Any, code: int, x: float, y: float, target: int, serial: int, making: int) -> None:
    """The unit's order from now on. An attack that has begun goes on if the new order is to attack the same or anything."""
    same = code == ATTACK_MOVE or (code == ATTACK and unit.victim == target and unit.victim_serial == serial)
    if not same:
        unit.winding = False
        unit.prey = -1
    unit.order, unit.order_x, unit.order_y = code, x, y
    unit.target, unit.target_serial, unit.making = target, serial, making
    unit.busy = False
    unit.speed = min(unit.speed, _SPEED[unit.kind])
    if code in (IDLE, HOLD):
        unit.guard_x, unit.guard_y, unit.speed = unit.x, unit.y, 0.0


@compiled
def finish_order(unit: Any) -> None:
    """The next order that waits, or none."""
    if unit.waiting == 0:
        begin_order(unit, IDLE, unit.x, unit.y, -1, 0, 0)
        return
    begin_order(
        unit, unit.waiting_order[0], unit.waiting_x[0], unit.waiting_y[0], unit.waiting_target[0], unit.waiting_serial[0],
        unit.waiting_making[0],
    )  # fmt: skip
    unit.waiting -= 1
    for place in range(unit.waiting):
        unit.waiting_order[place], unit.waiting_x[place] = unit.waiting_order[place + 1], unit.waiting_x[place + 1]
        unit.waiting_y[place], unit.waiting_target[place] = unit.waiting_y[place + 1], unit.waiting_target[place + 1]
        unit.waiting_serial[place] = unit.waiting_serial[place + 1]
        unit.waiting_making[place] = unit.waiting_making[place + 1]
