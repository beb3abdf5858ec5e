"""Scripted policies that see and act through the specification alone: what the simulation is calibrated by.

A policy looks at the feature layers of one game and gives the parts of one action; it may remember something between steps.
They play the simulation and the game alike. Published figures beside which their scores are put: Vinyals et al. (2017), table 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft import kinds
from reproductions.starcraft.specification import ENEMY, FUNCTIONS, NEUTRAL, SCREEN, SELF
from reproductions.starcraft.spaces import Composite

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


def shards_apart(player: Player, seen: Observation) -> Call:
    """The marines by turns: one is clicked, then sent to the shard nearest to it that the other is not on its way to."""
    relative, selected = layer(seen, "player_relative"), layer(seen, "selected")
    shards, marines = cells(relative == NEUTRAL), blobs(relative == SELF)
    if not len(shards) or not len(marines):
        return NOTHING
    chosen = blobs((relative == SELF) & (selected == 1))
    if player.memory.get("clicked") and len(chosen) == 1:
        player.memory["clicked"] = False
        player.memory["last"] = chosen[0]
        taken = player.memory.get("goal")
        free = shards if taken is None else shards[np.square(shards - taken).sum(1) > (player.size / 16) ** 2]
        goal = nearest(free if len(free) else shards, chosen[0])
        player.memory["goal"] = goal
        return _screen("Move_screen", cell(goal, player.size))
    last = player.memory.get("last")
    other = marines[0] if last is None else marines[int(np.square(marines - last).sum(1).argmax())]
    player.memory["clicked"] = True
    return "select_point", {"select_point_act": 0, "screen": cell(nearest(cells(relative == SELF), other), player.size)}


def lowest_enemy(player: Player, seen: Observation) -> Call:
    """pysc2's scripted agent for DefeatRoaches: attack the enemy's cell of the largest y."""
    if not player.can(seen, "Attack_screen"):
        return _ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return _screen("Attack_screen", cell(enemies[int(enemies[:, 1].argmax())], player.size)) if len(enemies) else NOTHING


def middle_of_enemies(player: Player, seen: Observation) -> Call:
    """Attack-move to the middle of all enemies."""
    if not player.can(seen, "Attack_screen"):
        return _ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return _screen("Attack_screen", cell(enemies.mean(0), player.size)) if len(enemies) else NOTHING


#: Where the marines go on FindAndDefeatZerglings: a round over the map, in shares of its playable region from top left.
_ROUND = ((0.15, 0.2), (0.5, 0.2), (0.85, 0.2), (0.85, 0.5), (0.85, 0.8), (0.5, 0.8), (0.15, 0.8), (0.15, 0.5))
_FIELD_LEFT, _FIELD_TOP, _FIELD_WIDE, _FIELD_HIGH, _MAP = 10.0, 20.0, 44.0, 32.0, 64.0


def search(player: Player, seen: Observation) -> Call:
    """Attack-move round the map by the minimap, from one place to the next when the marines have come near it."""
    if not player.can(seen, "Attack_minimap"):
        return _ARMY
    marines = cells(seen["feature_minimap"][3] == SELF)
    stop = player.memory.setdefault("stop", 0)
    scale = player.size / _MAP
    share = _ROUND[stop % len(_ROUND)]
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
    return "select_point", {"select_point_act": act, "screen": cell(shown[int(player.rng.integers(len(shown)))], player.size)}


def _at(player: Player, x: float, y: float) -> int:
    """The cell of a place in shares of the screen."""
    return cell(np.array([x, y]) * player.size - 0.5, player.size)


#: Sites on the screen of BuildMarines, in shares of it: two rows of depots at the top, a block of barracks below.
_DEPOTS = tuple((0.30 + 0.085 * (n % 8), 0.06 + 0.09 * (n // 8)) for n in range(16))
_BARRACKS = tuple((0.62 + 0.13 * (n % 3), 0.42 + 0.15 * (n // 3)) for n in range(6))
_FOOD_USED, _FOOD_CAP, _MINERALS, _WORKERS = 3, 4, 1, 6


def train_marines(player: Player, seen: Observation, workers: int = 16) -> Call:
    """Workers up to a number, a depot when supply runs short, barracks, and marines from all of them."""
    memory = player.memory
    wanted = memory.pop("then", None)
    if wanted is not None and player.can(seen, wanted[0]):
        return wanted  # type: ignore[no-any-return]
    minerals = seen["player"][_MINERALS]
    room = seen["player"][_FOOD_CAP] - seen["player"][_FOOD_USED]
    depots, barracks = memory.setdefault("depots", 0), memory.setdefault("barracks", 0)
    trains = len(cells(_type(seen, kinds.BARRACKS))) > 0
    first: Call | None = None
    if minerals >= 100 and room < 3 + 2 * barracks and depots - seen["player"][_FOOD_CAP] // 8 < 2:
        memory["depots"] = depots + 1
        memory["then"] = _screen("Build_SupplyDepot_screen", _at(player, *_DEPOTS[depots % len(_DEPOTS)]))
        first = _click(player, seen, kinds.SCV)
    elif minerals >= 150 and seen["player"][_FOOD_CAP] > 15 and barracks < 3 * len(_BARRACKS):
        memory["barracks"] = barracks + 1
        memory["then"] = _screen("Build_Barracks_screen", _at(player, *_BARRACKS[barracks % len(_BARRACKS)]))
        first = _click(player, seen, kinds.SCV)
    elif minerals >= 50 and room > 0 and seen["player"][_WORKERS] < workers:
        memory["then"] = "Train_SCV_quick", {"queued": 0}
        first = _click(player, seen, kinds.COMMAND_CENTER)
    elif minerals >= 50 and room > 0 and trains:
        memory["then"] = "Train_Marine_quick", {"queued": 0}
        first = _click(player, seen, kinds.BARRACKS, act=2)
    return first or NOTHING
