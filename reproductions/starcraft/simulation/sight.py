"""What the agent's units see: circles of sight, and the parts of the map that were ever seen."""

from __future__ import annotations

from typing import Any

from reproductions.starcraft import kinds
from reproductions.starcraft.simulation.compiled import compiled
from reproductions.starcraft.simulation.state import AGENT

_SIGHT = kinds.SIGHT


@compiled
def seen(units: Any, x: float, y: float) -> bool:
    """Whether a unit of the agent's sees this point now."""
    for i in range(len(units)):
        unit = units[i]
        if unit.kind != 0 and unit.owner == AGENT:
            sight = _SIGHT[unit.kind]
            if (unit.x - x) ** 2 + (unit.y - y) ** 2 <= sight * sight:
                return True
    return False


@compiled
def explore(units: Any, explored: Any) -> None:
    """Mark what is seen now. explored: bool [64, 64], squares of the map by [y, x], y up."""
    high, wide = explored.shape
    for i in range(len(units)):
        unit = units[i]
        if unit.kind == 0 or unit.owner != AGENT:
            continue
        sight = _SIGHT[unit.kind]
        for row in range(max(0, int(unit.y - sight)), min(high, int(unit.y + sight) + 1)):
            for column in range(max(0, int(unit.x - sight)), min(wide, int(unit.x + sight) + 1)):
                if (column + 0.5 - unit.x) ** 2 + (row + 0.5 - unit.y) ** 2 <= sight * sight:
                    explored[row, column] = True
