"""DefeatRoaches, DefeatZerglingsAndBanelings and FindAndDefeatZerglings."""

from __future__ import annotations

import numpy as np

from reproductions.starcraft import kinds
from reproductions.starcraft.policies.player import (
    ARMY,
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
from reproductions.starcraft.specification import ENEMY, MINIMAP, SELF


def lowest_enemy(player: Player, seen: Observation) -> Call:
    """pysc2's scripted agent for DefeatRoaches: attack the enemy's cell of the largest y."""
    if not player.can(seen, "Attack_screen"):
        return ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return (
        on_screen("Attack_screen", cell(enemies[int(enemies[:, 1].argmax())], player.size)) if len(enemies) else NOTHING
    )


def middle_of_enemies(player: Player, seen: Observation) -> Call:
    """Attack-move to the middle of all enemies."""
    if not player.can(seen, "Attack_screen"):
        return ARMY
    enemies = cells(layer(seen, "player_relative") == ENEMY)
    return on_screen("Attack_screen", cell(enemies.mean(0), player.size)) if len(enemies) else NOTHING


def bait(player: Player, seen: Observation) -> Call:
    """DefeatZerglingsAndBanelings as people play it: one marine at a time draws the banelings, all of them kill the rest."""
    relative, selected = layer(seen, "player_relative"), layer(seen, "selected")
    enemies, marines = cells(relative == ENEMY), cells(relative == SELF)
    banelings = cells((relative == ENEMY) & of_type(seen, kinds.BANELING))
    if not len(enemies) or not len(marines):
        return NOTHING
    if not len(banelings):
        if len(cells((relative == SELF) & (selected == 0))):
            return ARMY
        return on_screen("Attack_screen", cell(nearest(enemies, marines.mean(0)), player.size))
    goal = nearest(banelings, marines.mean(0))
    drawn = blobs((relative == SELF) & (selected == 1))
    alone = len(cells((relative == SELF) & (selected == 1))) <= 1 + (player.size / 16) ** 2 / 2
    if player.can(seen, "Move_screen") and len(drawn) == 1 and alone:
        return on_screen("Move_screen", cell(goal, player.size))
    return "select_point", {"select_point_act": 0, "screen": cell(nearest(marines, goal), player.size)}


#: Where the marines go on FindAndDefeatZerglings, in shares of its playable region from top left: to and fro in three rows.
_ROWS = ((0.12, 0.17), (0.88, 0.17), (0.88, 0.5), (0.12, 0.5), (0.12, 0.83), (0.88, 0.83), (0.88, 0.5), (0.12, 0.5))
_FIELD_LEFT, _FIELD_TOP, _FIELD_WIDE, _FIELD_HIGH, _MAP = 10.0, 20.0, 44.0, 32.0, 64.0
_RELATIVE_ON_MINIMAP = [layer.name for layer in MINIMAP].index("player_relative")


def search(player: Player, seen: Observation) -> Call:
    """By the minimap: attack the nearest enemy that is seen, else attack-move on through the rows."""
    if not player.can(seen, "Attack_minimap"):
        return ARMY
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
