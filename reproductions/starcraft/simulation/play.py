"""An agent's step in many games: a function, so many game loops, the reward, and a new episode where one has ended."""

from __future__ import annotations

from typing import Any, NamedTuple

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.chance import uniform
from reproductions.starcraft.simulation.commands import act, available
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.drawing import draw
from reproductions.starcraft.simulation.economy import produce, supply, work
from reproductions.starcraft.simulation.fighting import fight, fly
from reproductions.starcraft.simulation.movement import keep_inside, separate, stroll
from reproductions.starcraft.simulation.scripts import BUILD_MARINES, after_loop, begin_map
from reproductions.starcraft.simulation.sight import explore
from reproductions.starcraft.simulation.state import AGENT, IDLE

_MARINE, _SCV, _SPEED = kinds.MARINE, kinds.SCV, kinds.SPEED


class Rules(NamedTuple):
    """What is the same in all games of a batch: the map, its camera and limit in loops; loops a step, cells of an edge."""

    which: int
    fights: bool
    fog: bool
    camera_x: float
    camera_y: float
    limit: int
    loops: int
    size: int


@compiled
def _loop(units: Any, game: Any, rules: Any) -> None:
    slots = len(units)
    first = 0
    if rules.fights:
        for i in range(slots):
            fly(units, game, i)
        first = int(uniform(game) * slots)  # the order of updates is random, as in the game
    for place in range(slots):
        i = (first + place) % slots
        if units[i].kind == 0:
            continue
        if units[i].kind == _SCV:
            work(units, game, i)
        elif _SPEED[units[i].kind] > 0.0:
            if rules.fights:
                fight(units, game, i)
            else:
                stroll(units[i])
        elif units[i].training > 0:
            made = produce(units, game, i)
            if made == _MARINE and rules.which == BUILD_MARINES:
                game.score += 1
    if rules.fights:
        separate(units)
    keep_inside(units, game)
    game.loop += 1
    after_loop(units, game, rules.which)


@compiled
def _begin(units: Any, game: Any, explored: Any, rules: Any) -> None:
    for i in range(len(units)):
        units[i].kind, units[i].selected, units[i].missile_target = 0, False, -1
    explored[:] = False
    game.loop, game.serials, game.over, game.score = 0, 0, False, 0
    game.camera_x, game.camera_y = rules.camera_x, rules.camera_y
    game.killed_value, game.idle_worker_loops, game.minerals, game.gas = 0, 0, 0, 0
    game.collected_minerals, game.collected_gas, game.spent_minerals, game.spent_gas = 0, 0, 0, 0
    begin_map(units, game, rules.which)
    explore(units, explored)


@compiled
def begin_all(units: Any, games: Any, explored: Any, rules: Any) -> None:
    """A new episode in every game. units: [batch, slots]; games: [batch]; explored: bool [batch, 64, 64]; ``Rules``."""
    for g in range(len(games)):
        _begin(units[g], games[g], explored[g], rules)


@compiled
def step_all(units: Any, games: Any, explored: Any, rules: Any, arguments: Any, rewards: Any, ended: Any) -> None:
    """One step. arguments: int64 [batch, 8]; rewards float64 [batch] and ended bool [batch] are written."""
    for g in range(len(games)):
        game = games[g]
        before = game.score
        act(units[g], game, arguments[g], rules.size, rules.fog)
        for _ in range(rules.loops):
            _loop(units[g], game, rules)
            if game.over or game.loop >= rules.limit:
                game.over = True
                break
        rewards[g] = float(game.score - before)
        ended[g] = game.over
        if game.over:
            _begin(units[g], game, explored[g], rules)
        elif rules.fog:
            explore(units[g], explored[g])


@compiled
def _count(units: Any, game: Any, player: Any, scores: Any) -> None:
    """The vectors ``player`` and ``score_cumulative``."""
    used, most = supply(units)
    army, workers, idle = 0, 0, 0
    for i in range(len(units)):
        unit = units[i]
        if unit.owner == AGENT and unit.kind == _MARINE:
            army += 1
        elif unit.owner == AGENT and unit.kind == _SCV:
            workers += 1
            if unit.order == IDLE:
                idle += 1
    player[:] = 0
    player[0], player[1], player[2], player[3], player[4] = AGENT, game.minerals, game.gas, used, most
    player[5], player[6], player[7], player[8] = army, workers, idle, army
    scores[:] = 0
    scores[0], scores[2], scores[5] = game.score, game.idle_worker_loops // 16, game.killed_value
    scores[7], scores[8] = game.collected_minerals, game.collected_gas
    scores[11], scores[12] = game.spent_minerals, game.spent_gas


@compiled
def observe_all(
    units: Any,
    games: Any,
    explored: Any,
    rules: Any,
    functions: Any,
    screen: Any,
    minimap: Any,
    player: Any,
    scores: Any,
    mask: Any,
) -> None:
    """Write what is seen: the layers, the vectors, and which functions (int64 [n], identifiers) are available."""
    for g in range(len(games)):
        draw(units[g], games[g], explored[g], rules.fog, screen[g], minimap[g])
        _count(units[g], games[g], player[g], scores[g])
        available(units[g], games[g], functions, mask[g])
