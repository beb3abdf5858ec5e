"""Choosing targets, weapons, missiles, bursts and calls for help: what each fighter does in one game loop."""

from __future__ import annotations

from typing import Any

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.chance import between
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.movement import crowded, walk_round
from reproductions.starcraft.simulation.state import (
    ATTACK,
    ATTACK_MOVE,
    HOLD,
    IDLE,
    MOVE,
    NOBODY,
    alive,
    distance,
    finish_order,
    gap,
    remove,
)

_HIT_POINTS, _ARMOR, _LIGHT, _RADIUS = kinds.HIT_POINTS, kinds.ARMOR, kinds.LIGHT, kinds.RADIUS
_DAMAGE, _BONUS, _RANGE, _SPLASH, _SCAN = kinds.DAMAGE, kinds.BONUS, kinds.RANGE, kinds.SPLASH, kinds.SCAN
_PERIOD, _DAMAGE_POINT, _MISSILE, _REGENERATION = kinds.PERIOD, kinds.DAMAGE_POINT, kinds.MISSILE, kinds.REGENERATION
_JITTER_LEAST, _JITTER_MOST, _SLOP = kinds.JITTER_LEAST, kinds.JITTER_MOST, kinds.RANGE_SLOP
_HELP_RADIUS, _HELP_LOOPS, _LEASH, _LEAST = kinds.HELP_RADIUS, kinds.HELP_LOOPS, kinds.LEASH, kinds.LEAST_DAMAGE
_BANELING = kinds.BANELING
_ROACH = kinds.ROACH  # the one kind that shoots missiles


@compiled
def _foes(one: Any, other: Any) -> bool:
    return other.kind != 0 and other.owner != one.owner and other.owner != NOBODY and one.owner != NOBODY


@compiled
def _damage(by: int, to: int) -> float:
    return max(_LEAST, _DAMAGE[by] + _BONUS[by] * _LIGHT[to] - _ARMOR[to])


@compiled
def _burst(units: Any, game: Any, i: int) -> None:
    """A baneling's acid: full damage to every enemy whose circle it touches."""
    for j in range(len(units)):
        reach = _SPLASH[_BANELING] + _RADIUS[units[j].kind]
        if _foes(units[i], units[j]) and distance(units, j, units[i].x, units[i].y) <= reach:
            units[j].hit_points -= _damage(_BANELING, units[j].kind)
            if units[j].hit_points <= 0.0:
                remove(units, game, j)


@compiled
def _react(units: Any, j: int, attacker: int) -> None:
    """Unit j, who stands without an order, goes for the attacker of its comrade or of itself."""
    unit = units[j]
    if unit.order == IDLE and not alive(units, unit.prey, unit.prey_serial) and _DAMAGE[unit.kind] > 0.0:
        unit.prey, unit.prey_serial = attacker, units[attacker].serial


@compiled
def hurt(units: Any, game: Any, victim: int, attacker: int, attacker_serial: int, by: int) -> None:
    """Damage by a weapon of kind ``by``; who survives answers the attacker and calls for help, who bursts bursts."""
    unit = units[victim]
    unit.hit_points -= _damage(by, unit.kind)
    if unit.hit_points <= 0.0:
        if unit.kind == _BANELING:
            _burst(units, game, victim)
        remove(units, game, victim)
        return
    if not alive(units, attacker, attacker_serial) or not _foes(unit, units[attacker]):
        return
    _react(units, victim, attacker)
    if game.loop >= unit.called:
        unit.called = game.loop + _HELP_LOOPS
        for j in range(len(units)):
            comrade = j != victim and units[j].kind != 0 and units[j].owner == unit.owner
            if comrade and distance(units, j, unit.x, unit.y) <= _HELP_RADIUS:
                _react(units, j, attacker)


@compiled
def _strike(units: Any, game: Any, i: int) -> None:
    """The blow, if its target is still there and no further than the slop allows; then the weapon reloads."""
    unit = units[i]
    victim = unit.victim
    if not alive(units, victim, unit.victim_serial) or gap(units, i, victim) > _RANGE[unit.kind] + _SLOP:
        return
    if unit.kind == _BANELING:
        _burst(units, game, i)
        remove(units, game, i)
        return
    # Times are not whole loops; what is over from one is carried, so that the mean interval is that of the data.
    unit.cooldown = (
        _PERIOD[unit.kind] + between(game, _JITTER_LEAST, _JITTER_MOST) - _DAMAGE_POINT[unit.kind] + unit.windup
    )
    if _MISSILE[unit.kind] == 0.0:
        hurt(units, game, victim, i, unit.serial, unit.kind)
        return
    # It flies from where the attacker is to where the victim is.
    unit.missile = distance(units, i, units[victim].x, units[victim].y) / _MISSILE[unit.kind]
    unit.missile_target, unit.missile_serial = victim, unit.victim_serial


@compiled
def fly(units: Any, game: Any, i: int) -> None:
    """What unit i has in the air; it arrives also if the unit is dead by then."""
    unit = units[i]
    if unit.missile_target < 0:
        return
    unit.missile -= 1.0
    if unit.missile <= 0.0:
        if alive(units, unit.missile_target, unit.missile_serial):
            hurt(units, game, unit.missile_target, i, unit.serial, _ROACH)
        unit.missile_target = -1


@compiled
def _nearest(units: Any, i: int, within: float) -> int:
    """The enemy whose edge is nearest, if within this distance; else -1."""
    best, least = -1, within
    for j in range(len(units)):
        if _foes(units[i], units[j]):
            away = gap(units, i, j)
            if away <= least:
                best, least = j, away
    return best


@compiled
def _choose(units: Any, i: int) -> int:
    """Whom a unit without a target of its player's goes for: whom it can hit now it keeps, else whoever is nearest."""
    unit = units[i]
    prey = unit.prey if alive(units, unit.prey, unit.prey_serial) else -1
    if prey >= 0 and gap(units, i, prey) <= _RANGE[unit.kind]:
        return prey
    nearest = _nearest(units, i, _RANGE[unit.kind] if unit.order == HOLD else _SCAN[unit.kind])
    if nearest >= 0:
        unit.prey, unit.prey_serial = nearest, units[nearest].serial
        return nearest
    if prey >= 0 and (unit.order != IDLE or distance(units, prey, unit.guard_x, unit.guard_y) > _LEASH):
        prey = -1
    unit.prey = prey
    return prey


@compiled
def _attack(units: Any, game: Any, i: int, target: int) -> None:
    """Begin to attack if the target is in range and the weapon ready; come nearer if it is not in range."""
    unit = units[i]
    if gap(units, i, target) > _RANGE[unit.kind]:
        if unit.order != HOLD:
            reach = (_RADIUS[unit.kind] + _RADIUS[units[target].kind] + _RANGE[unit.kind]) * 0.999
            walk_round(units, i, units[target].x, units[target].y, reach)
        return
    if unit.cooldown > 0.0:
        return
    unit.victim, unit.victim_serial = target, units[target].serial
    unit.windup = _DAMAGE_POINT[unit.kind] + unit.cooldown
    unit.winding = unit.windup > 0.0
    if not unit.winding:
        _strike(units, game, i)


@compiled
def fight(units: Any, game: Any, i: int) -> None:
    """One game loop of a unit with a weapon."""
    unit = units[i]
    unit.cooldown = unit.cooldown - 1.0 if unit.cooldown > 0.0 else 0.0
    unit.hit_points = min(_HIT_POINTS[unit.kind], unit.hit_points + _REGENERATION[unit.kind])
    unit.moved = False
    if unit.winding:
        unit.windup -= 1.0
        if unit.windup <= 0.0:
            unit.winding = False
            _strike(units, game, i)
        return
    target = -1
    if unit.order == ATTACK:
        if not alive(units, unit.target, unit.target_serial):
            finish_order(unit)
        else:
            target = unit.target
    if unit.order == IDLE or unit.order == ATTACK_MOVE or unit.order == HOLD:
        target = _choose(units, i)
    if target >= 0:
        _attack(units, game, i, target)
    elif unit.order == MOVE or unit.order == ATTACK_MOVE:
        if walk_round(units, i, unit.order_x, unit.order_y, 0.0) or crowded(units, i, unit.order_x, unit.order_y):
            finish_order(unit)
    elif unit.order == IDLE and distance(units, i, unit.guard_x, unit.guard_y) > 0.1:
        walk_round(units, i, unit.guard_x, unit.guard_y, 0.0)
