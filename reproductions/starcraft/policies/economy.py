"""CollectMineralsAndGas and BuildMarines."""

from __future__ import annotations

import numpy as np

from reproductions.starcraft import kinds
from reproductions.starcraft.policies.player import (
    NOTHING,
    Call,
    Observation,
    Player,
    blobs,
    cell,
    cells,
    layer,
    nearest,
    of_type,
    on_screen,
)
from reproductions.starcraft.specification import PLAYER, SELF


def send_workers(player: Player, seen: Observation) -> Call:
    """The idle workers, all of them, are sent to the patch nearest to the command center; nothing else ever."""
    if player.can(seen, "select_idle_worker") and not player.memory.get("chosen"):
        player.memory["chosen"] = True
        return "select_idle_worker", {"select_worker": 2}
    player.memory["chosen"] = False
    patches, center = cells(of_type(seen, kinds.PATCH)), cells(of_type(seen, kinds.COMMAND_CENTER))
    if not player.can(seen, "Harvest_Gather_screen") or not len(patches) or not player.can(seen, "select_idle_worker"):
        return NOTHING
    return on_screen("Harvest_Gather_screen", cell(nearest(patches, center.mean(0)), player.size))


def _click(player: Player, seen: Observation, kind: int, act: int = 0) -> Call | None:
    """A click on a unit of this kind, drawn among those that the screen shows."""
    shown = cells(of_type(seen, kind) & (layer(seen, "player_relative") == SELF))
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
    barracks = len(blobs(of_type(seen, kinds.BARRACKS)))
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
    player.memory["then"] = on_screen(name, _at(player, *sites[tries % len(sites)]))
    return _click(player, seen, kinds.SCV) or NOTHING


#: Sites on the screen of CollectMineralsAndGas: depots at the bottom between the bases, geysers on the left, the second base.
_GAS_DEPOTS = tuple((0.36 + 0.085 * n, 0.70) for n in range(5))
_GEYSERS = ((0.232, 0.105), (0.232, 0.687), (0.773, 0.105), (0.773, 0.687))
_SECOND_BASE = ((0.607, 0.396),)


def grow_economy(player: Player, seen: Observation) -> Call:
    """CollectMineralsAndGas with workers always in training, depots, refineries with three workers each, and a second base."""
    memory = player.memory
    then = memory.pop("then", None)
    if then is not None and player.can(seen, then[0]):
        return then
    step = memory["step"] = memory.get("step", 0) + 1
    if player.can(seen, "select_idle_worker"):
        patches, bases = cells(of_type(seen, kinds.PATCH)), blobs(of_type(seen, kinds.COMMAND_CENTER))
        away = np.sqrt(np.square(patches[:, None] - bases).sum(2)).min(1)
        near = patches[away < 0.35 * player.size]
        goal = near[int(player.rng.integers(len(near)))]
        memory["then"] = on_screen("Harvest_Gather_screen", cell(goal, player.size))
        return "select_idle_worker", {"select_worker": 0 if step > 1 else 2}
    minerals, workers = seen["player"][_MINERALS], seen["player"][_FOOD_WORKERS]
    room = seen["player"][_FOOD_CAP] - seen["player"][_FOOD_USED]
    refineries, centers = (len(blobs(of_type(seen, kind))) for kind in (kinds.REFINERY, kinds.COMMAND_CENTER))
    ready = step >= memory.get("build again", 0)
    if (
        memory.get("sent", 0) < 2 * refineries
        and step >= memory.get("gas again", 0)
        and workers > 12 + memory.get("sent", 0)
    ):
        memory["sent"], memory["gas again"] = memory.get("sent", 0) + 1, step + (2 if memory.get("sent", 0) % 2 else 70)
        spot = _GEYSERS[(memory["sent"] - 1) // 2]
        memory["then"] = on_screen("Harvest_Gather_screen", _at(player, *spot))
        return _click(player, seen, kinds.SCV) or NOTHING
    if ready and minerals >= 100 and room < 3:
        return _build(player, seen, "Build_SupplyDepot_screen", _GAS_DEPOTS, step)
    if ready and minerals >= 75 and refineries < min(4, (workers - 12) // 4):
        return _build(player, seen, "Build_Refinery_screen", _GEYSERS, step)
    if ready and minerals >= 400 and centers < 2 and workers >= 18:
        return _build(player, seen, "Build_CommandCenter_screen", _SECOND_BASE, step)
    saving = workers >= 22 and centers < 2
    if minerals >= 50 and room > 0 and not saving and step % 12 == 0:
        return _click_then(player, seen, kinds.COMMAND_CENTER, "Train_SCV_quick", act=2)
    return NOTHING
