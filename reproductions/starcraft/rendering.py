"""A game as a picture: the playable region, units by their circles, hit points, selection and fog, for figures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft import kinds
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.maps import VIEW

#: Colours, from 0 to 1, of the ground, what is outside and what is hidden, and of units by kind.
_GROUND, _OUTSIDE, _HIDDEN = (0.86, 0.87, 0.84), (0.35, 0.36, 0.38), (0.55, 0.56, 0.57)
_FOGGED, _RING, _WORN = (0.70, 0.71, 0.70), (1.0, 1.0, 1.0), (0.85, 0.15, 0.1)
_COLOURS = {
    kinds.BEACON: (0.45, 0.75, 0.95),
    kinds.SHARD: (0.20, 0.55, 0.85),
    kinds.PATCH: (0.20, 0.55, 0.85),
    kinds.GEYSER: (0.35, 0.70, 0.45),
    kinds.MARINE: (0.10, 0.30, 0.75),
    kinds.SCV: (0.85, 0.60, 0.10),
    kinds.COMMAND_CENTER: (0.40, 0.45, 0.60),
    kinds.SUPPLY_DEPOT: (0.55, 0.55, 0.70),
    kinds.REFINERY: (0.25, 0.50, 0.35),
    kinds.BARRACKS: (0.50, 0.35, 0.55),
    kinds.ROACH: (0.60, 0.15, 0.10),
    kinds.ZERGLING: (0.80, 0.35, 0.20),
    kinds.BANELING: (0.45, 0.60, 0.10),
}
#: In whole pixels of 1/16 unit.
_PIXELS_A_UNIT = 16


def picture(environments: MiniGames, game: int = 0, pixels_a_unit: int = _PIXELS_A_UNIT) -> NDArray[np.uint8]:
    """What the screen of one game shows, at a finer scale than its layers: uint8 [24 p, 24 p, 3] for p pixels a unit.

    The picture is the square of 24 units that the screen's layers cover, so that anything by their cells can be laid over it.
    """
    edge = int(VIEW * pixels_a_unit)
    record, units = environments.games[game], environments.units[game]
    offsets = (np.arange(edge) + 0.5) / pixels_a_unit - VIEW / 2
    x, y = record["camera_x"] + offsets[None, :], record["camera_y"] - offsets[:, None]
    inside = (x >= record["x0"]) & (x <= record["x1"]) & (y >= record["y0"]) & (y <= record["y1"])
    canvas = np.where(inside[..., None], _GROUND, _OUTSIDE)
    mine = units[(units["kind"] != 0) & (units["owner"] == 1)]
    seen = np.zeros((edge, edge), np.bool_)
    for unit in mine:
        seen |= np.square(x - unit["x"]) + np.square(y - unit["y"]) <= kinds.SIGHT[unit["kind"]] ** 2
    fog = environments.map.fog
    if fog:
        columns, rows = (np.clip(axis.astype(np.int64), 0, 63) for axis in (x, y))
        known = environments.explored[game][rows, columns]
        canvas[inside & ~seen & known] = _FOGGED
        canvas[inside & ~seen & ~known] = _HIDDEN
    for unit in units[units["kind"] != 0]:
        away = np.sqrt(np.square(x - unit["x"]) + np.square(y - unit["y"]))
        covered = away <= kinds.RADIUS[unit["kind"]]
        if fog and unit["owner"] == 2:
            covered &= _visible(mine, unit)
        canvas[covered] = _COLOURS[int(unit["kind"])]
        most = kinds.HIT_POINTS[unit["kind"]]
        if most > 0:
            lost = 1 - unit["hit_points"] / most
            canvas[covered & (y > unit["y"] + kinds.RADIUS[unit["kind"]] * (1 - 2 * lost))] = _WORN
        if unit["selected"]:
            canvas[(away > kinds.RADIUS[unit["kind"]]) & (away <= kinds.RADIUS[unit["kind"]] + 0.12)] = _RING
    return (255 * canvas).round().astype(np.uint8)


def _visible(mine: NDArray[np.void], unit: np.void) -> bool:
    away = np.square(mine["x"] - unit["x"]) + np.square(mine["y"] - unit["y"])
    return bool((away <= kinds.SIGHT[mine["kind"]] ** 2).any())
