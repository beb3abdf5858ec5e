"""Scripted policies that see and act through the specification alone: what the simulation is calibrated by.

A policy looks at the feature layers of one game and gives the parts of one action; it may remember something between steps.
They play the simulation and the game alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft import kinds
from reproductions.starcraft.spaces import Composite
from reproductions.starcraft.specification import ENEMY, FUNCTIONS, MINIMAP, NEUTRAL, PLAYER, SCREEN, SELF

Observation = Mapping[str, NDArray[Any]]
#: A function's name and its arguments by name.
Call = tuple[str, dict[str, int]]
_LAYER = {layer.name: place for place, layer in enumerate(SCREEN)}


def layer(seen: Observation, name: str) -> NDArray[Any]:
    """A layer of the screen, [size, size]."""
    return np.asarray(seen["feature_screen"][_LAYER[name]])


def cells(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The marked cells as points (x, y), [n, 2]."""
    rows, columns = np.nonzero(where)
    return np.stack([columns, rows], 1).astype(np.float64)


def blobs(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The middles of connected groups of marked cells (also across corners), [n, 2] as (x, y)."""
    left, middles = {tuple(point) for point in np.argwhere(where)}, []
    while left:
        group, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            group.append((column, row))
            near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            edge += sorted(near)
        middles.append(np.mean(group, 0))
    return np.array(middles).reshape(-1, 2)


def cell(point: NDArray[np.float64], size: int) -> int:
    """The argument that means this point (x, y)."""
    x, y = (int(np.clip(round(float(value)), 0, size - 1)) for value in point)
    return y * size + x


def nearest(points: NDArray[np.float64], to: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point nearest to another."""
    return points[int(np.square(points - to).sum(1).argmin())]


@dataclass
class Player:
    """A policy in one game: what it may call, the size of its layers, what it remembers in this episode, and its numbers."""

    functions: tuple[str, ...]
    size: int
    rng: np.random.Generator
    memory: dict[str, Any] = field(default_factory=dict)

    def can(self, seen: Observation, name: str) -> bool:
        """Whether the function is available."""
        return name in self.functions and bool(seen["available_actions"][self.functions.index(name)])


Policy = Callable[[Player, Observation], Call]
NOTHING: Call = ("no_op", {})
_ARMY: Call = ("select_army", {"select_add": 0})


def _screen(name: str, at: int, queued: int = 0) -> Call:
    return name, {"queued": queued, "screen": at}


def random_play(space: Composite) -> Policy:
    """Uniform over the available functions, then over every argument's values."""

    def play(player: Player, seen: Observation) -> Call:
        name = player.functions[int(player.rng.choice(np.flatnonzero(seen["available_actions"])))]
        arguments = FUNCTIONS[name].arguments
        return name, {argument: int(player.rng.integers(space.parts[argument].n)) for argument in arguments}

    return play


def to_beacon(player: Player, seen: Observation) -> Call:
    """Select the marine, then always walk to the middle of what is neutral."""
    if not player.can(seen, "Move_screen"):
        return _ARMY
    beacon = cells(layer(seen, "player_relative") == NEUTRAL)
    return _screen("Move_screen", cell(beacon.mean(0), player.size)) if len(beacon) else NOTHING


def shards_together(player: Player, seen: Observation) -> Call:
    """Both marines always walk to the shard that is nearest to their middle."""
    if not player.can(seen, "Move_screen"):
        return _ARMY
    relative = layer(seen, "player_relative")
    shards, marines = cells(relative == NEUTRAL), cells(relative == SELF)
    if not len(shards) or not len(marines):
        return NOTHING
    return _screen("Move_screen", cell(nearest(shards, marines.mean(0)), player.size))


#: How many shards ahead a marine's orders are queued.
_AHEAD = 4


def shards_apart(player: Player, seen: Observation) -> Call:
    """Each marine has a queue of shards of its own, always the next nearest that is in neither queue.

    One action a step is all there is, so orders are queued ahead and the marine with the shorter queue is served first.
    """
    relative = layer(seen, "player_relative")
    shards, places = cells(relative == NEUTRAL), _two(player, blobs(relative == SELF))
    queues = player.memory.setdefault("queues", [[], []])
    close = player.size / 20  # cells nearer than this belong to one shard
    for queue in queues:
        queue[:] = [goal for goal in queue if len(shards) and np.abs(shards - goal).max(1).min() <= close]
    taken = np.array([*queues[0], *queues[1]]).reshape(-1, 2)
    free = np.array([shard for shard in shards if not len(taken) or np.abs(taken - shard).max(1).min() > close])
    stood = player.memory.get("stood")
    if stood is not None and np.array_equal(places, stood) and not len(free):
        for queue in queues:  # their orders were lost, as when the marines were taken for each other
            queue.clear()
    player.memory["stood"] = places
    active = player.memory.get("active")
    other = 0 if active is None else 1 - active
    if active is None or (len(free) and len(queues[other]) < min(len(queues[active]), 2)):
        player.memory["active"] = other
        mine = nearest(cells(relative == SELF), places[other])
        return "select_point", {"select_point_act": 0, "screen": cell(mine, player.size)}
    queue = queues[active]
    if not len(free) or len(queue) >= _AHEAD or not player.can(seen, "Move_screen"):
        return NOTHING
    goal = nearest(free, queue[-1] if queue else places[active])
    queue.append(goal)
    return _screen("Move_screen", cell(goal, player.size), queued=int(len(queue) > 1))


def _two(player: Player, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the two marines are, [2, 2], the same one first as in the step before; one that is hidden is at the other."""
    if len(shown) < 2:
        shown = np.repeat(shown[:1], 2, 0)
    before = player.memory.get("places", shown[:2])
    straight, crossed = shown[:2], shown[1::-1]
    nearer = np.square(straight - before).sum() <= np.square(crossed - before).sum()
    player.memory["places"] = straight if nearer else crossed
    return np.asarray(player.memory["places"])


def lowest_enemy(player: Player, seen: Observation) -> Call:
    """pysc2's scripted agent for DefeatRoaches: attack the enemy's cell of the largest y."""
    if not player.can(seen, "Attack_screen"):
        return _ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return (
        _screen("Attack_screen", cell(enemies[int(enemies[:, 1].argmax())], player.size)) if len(enemies) else NOTHING
    )


def middle_of_enemies(player: Player, seen: Observation) -> Call:
    """Attack-move to the middle of all enemies."""
    if not player.can(seen, "Attack_screen"):
        return _ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return _screen("Attack_screen", cell(enemies.mean(0), player.size)) if len(enemies) else NOTHING


def bait(player: Player, seen: Observation) -> Call:
    """DefeatZerglingsAndBanelings as people play it: one marine at a time draws the banelings, all of them kill the rest."""
    relative, selected = layer(seen, "player_relative"), layer(seen, "selected")
    enemies, marines = cells(relative == ENEMY), cells(relative == SELF)
    banelings = cells((relative == ENEMY) & _type(seen, kinds.BANELING))
    if not len(enemies) or not len(marines):
        return NOTHING
    if not len(banelings):
        if len(cells((relative == SELF) & (selected == 0))):
            return _ARMY
        return _screen("Attack_screen", cell(nearest(enemies, marines.mean(0)), player.size))
    goal = nearest(banelings, marines.mean(0))
    drawn = blobs((relative == SELF) & (selected == 1))
    alone = len(cells((relative == SELF) & (selected == 1))) <= 1 + (player.size / 16) ** 2 / 2
    if player.can(seen, "Move_screen") and len(drawn) == 1 and alone:
        return _screen("Move_screen", cell(goal, player.size))
    return "select_point", {"select_point_act": 0, "screen": cell(nearest(marines, goal), player.size)}


#: Where the marines go on FindAndDefeatZerglings, in shares of its playable region from top left: to and fro in three rows.
_ROWS = ((0.12, 0.17), (0.88, 0.17), (0.88, 0.5), (0.12, 0.5), (0.12, 0.83), (0.88, 0.83), (0.88, 0.5), (0.12, 0.5))
_FIELD_LEFT, _FIELD_TOP, _FIELD_WIDE, _FIELD_HIGH, _MAP = 10.0, 20.0, 44.0, 32.0, 64.0
_RELATIVE_ON_MINIMAP = [layer.name for layer in MINIMAP].index("player_relative")


def search(player: Player, seen: Observation) -> Call:
    """By the minimap: attack the nearest enemy that is seen, else attack-move on through the rows."""
    if not player.can(seen, "Attack_minimap"):
        return _ARMY
    relative, scale = seen["feature_minimap"][_RELATIVE_ON_MINIMAP], player.size / _MAP
    marines, enemies = cells(relative == SELF), cells(relative == ENEMY)
    if len(marines) and len(enemies):
        return "Attack_minimap", {"queued": 0, "minimap": cell(nearest(enemies, marines.mean(0)), player.size)}
    stop = player.memory.setdefault("stop", 0)
    share = _ROWS[stop % len(_ROWS)]
    goal = np.array([_FIELD_LEFT + share[0] * _FIELD_WIDE, _FIELD_TOP + share[1] * _FIELD_HIGH]) * scale - 0.5
    if len(marines) and np.sqrt(np.square(marines.mean(0) - goal).sum()) < max(1.0, 3 * scale):
        player.memory["stop"] = stop + 1
    return "Attack_minimap", {"queued": 0, "minimap": cell(goal, player.size)}


def _type(seen: Observation, kind: int) -> NDArray[np.bool_]:
    return np.asarray(layer(seen, "unit_type") == kinds.KINDS[kind].type)


def send_workers(player: Player, seen: Observation) -> Call:
    """The idle workers, all of them, are sent to the patch nearest to the command center; nothing else ever."""
    if player.can(seen, "select_idle_worker") and not player.memory.get("chosen"):
        player.memory["chosen"] = True
        return "select_idle_worker", {"select_worker": 2}
    player.memory["chosen"] = False
    patches, center = cells(_type(seen, kinds.PATCH)), cells(_type(seen, kinds.COMMAND_CENTER))
    if not player.can(seen, "Harvest_Gather_screen") or not len(patches) or not player.can(seen, "select_idle_worker"):
        return NOTHING
    return _screen("Harvest_Gather_screen", cell(nearest(patches, center.mean(0)), player.size))


def _click(player: Player, seen: Observation, kind: int, act: int = 0) -> Call | None:
    """A click on a unit of this kind, drawn among those that the screen shows."""
    shown = cells(_type(seen, kind) & (layer(seen, "player_relative") == SELF))
    if not len(shown):
        return None
    return "select_point", {
        "select_point_act": act,
        "screen": cell(shown[int(player.rng.integers(len(shown)))], player.size),
    }


def _at(player: Player, x: float, y: float) -> int:
    """The cell of a place in shares of the screen."""
    return cell(np.array([x, y]) * player.size - 0.5, player.size)


#: Sites on the screen of BuildMarines, in shares of it: two rows of depots at the top, a block of barracks below.
_DEPOTS = tuple((0.30 + 0.085 * (n % 8), 0.06 + 0.09 * (n // 8)) for n in range(16))
_BARRACKS = tuple((0.62 + 0.13 * (n % 3), 0.42 + 0.15 * (n // 3)) for n in range(6))
_MINERALS, _FOOD_USED, _FOOD_CAP, _FOOD_WORKERS = (
    PLAYER.index(name) for name in ("minerals", "food_used", "food_cap", "food_workers")
)
#: Steps until an order to build is given again: the way there takes so long.
_PATIENCE = 12


def train_marines(player: Player, seen: Observation, workers: int = 16) -> Call:
    """Workers up to a number, a depot when supply runs short, barracks, and marines from all of them."""
    memory = player.memory
    then = memory.pop("then", None)
    if then is not None and player.can(seen, then[0]):
        return then
    step = memory["step"] = memory.get("step", 0) + 1
    minerals, room = seen["player"][_MINERALS], seen["player"][_FOOD_CAP] - seen["player"][_FOOD_USED]
    barracks = len(blobs(_type(seen, kinds.BARRACKS)))
    ready = step >= memory.get("build again", 0)
    if ready and minerals >= 100 and room < 3 + 2 * barracks:
        return _build(player, seen, "Build_SupplyDepot_screen", _DEPOTS, step)
    if ready and minerals >= 150 and seen["player"][_FOOD_CAP] > 15 and barracks < len(_BARRACKS):
        return _build(player, seen, "Build_Barracks_screen", _BARRACKS, step)
    if minerals >= 50 and room > 0 and seen["player"][_FOOD_WORKERS] < workers and step % 3 == 0:
        return _click_then(player, seen, kinds.COMMAND_CENTER, "Train_SCV_quick")
    if minerals >= 50 and room > 0 and barracks:
        return _click_then(player, seen, kinds.BARRACKS, "Train_Marine_quick", act=2)
    return NOTHING


def _click_then(player: Player, seen: Observation, kind: int, name: str, act: int = 0) -> Call:
    player.memory["then"] = name, {"queued": 0}
    return _click(player, seen, kind, act) or NOTHING


def _build(player: Player, seen: Observation, name: str, sites: tuple[tuple[float, float], ...], step: int) -> Call:
    """A click on a worker; the next step sends it to the next site."""
    tries = player.memory[name] = player.memory.get(name, -1) + 1
    player.memory["build again"] = step + _PATIENCE
    player.memory["then"] = _screen(name, _at(player, *sites[tries % len(sites)]))
    return _click(player, seen, kinds.SCV) or NOTHING
