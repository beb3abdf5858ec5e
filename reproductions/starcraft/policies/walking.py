"""Random play, MoveToBeacon and CollectMineralShards."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reproductions.shared.rl.environments import Composite
from reproductions.starcraft.policies.player import (
    ARMY,
    NOTHING,
    Call,
    Observation,
    Player,
    Policy,
    blobs,
    cell,
    cells,
    layer,
    nearest,
    on_screen,
)
from reproductions.starcraft.specification import FUNCTIONS, NEUTRAL, SELF


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
        return ARMY
    beacon = cells(layer(seen, "player_relative") == NEUTRAL)
    return on_screen("Move_screen", cell(beacon.mean(0), player.size)) if len(beacon) else NOTHING


def shards_together(player: Player, seen: Observation) -> Call:
    """Both marines always walk to the shard that is nearest to their middle."""
    if not player.can(seen, "Move_screen"):
        return ARMY
    relative = layer(seen, "player_relative")
    shards, marines = cells(relative == NEUTRAL), cells(relative == SELF)
    if not len(shards) or not len(marines):
        return NOTHING
    return on_screen("Move_screen", cell(nearest(shards, marines.mean(0)), player.size))


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
    return on_screen("Move_screen", cell(goal, player.size), queued=int(len(queue) > 1))


def _two(player: Player, shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the two marines are, [2, 2], the same one first as in the step before; one that is hidden is at the other."""
    if len(shown) < 2:
        shown = np.repeat(shown[:1], 2, 0)
    before = player.memory.get("places", shown[:2])
    straight, crossed = shown[:2], shown[1::-1]
    nearer = np.square(straight - before).sum() <= np.square(crossed - before).sum()
    player.memory["places"] = straight if nearer else crossed
    return np.asarray(player.memory["places"])
