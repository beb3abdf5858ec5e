"""Units by the game's own data: one row a kind, and the same by column for the simulation.

Source: Blizzard's unit data as it was when the papers were written (patches 3.16 and 4.11 agree). Times are game seconds at
speed "Normal" (16 loops), lengths world units. Radii of patches, geysers and buildings stand for their footprints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft.maps import LOOPS_A_SECOND


@dataclass(frozen=True)
class Kind:
    """A kind of unit. type: pysc2's unit type; footprint: width and height on the grid of buildings; provides: supply.

    Weapons: ``range`` is from edge to edge, a missile of speed 0 hits at once, ``splash`` is a radius. content: minerals or
    gas of a resource.
    """

    name: str
    type: int
    hit_points: float = 0.0
    armor: float = 0.0
    light: bool = False
    radius: float = 0.0
    speed: float = 0.0
    acceleration: float = 1000.0
    sight: float = 0.0
    regeneration: float = 0.0
    damage: float = 0.0
    bonus_to_light: float = 0.0
    period: float = 0.0
    range: float = 0.0
    damage_point: float = 0.0
    missile: float = 0.0
    splash: float = 0.0
    scan: float = 0.0
    minerals: int = 0
    gas: int = 0
    build_time: float = 0.0
    supply: int = 0
    provides: int = 0
    footprint: tuple[int, int] = (0, 0)
    content: int = 0


_ZERG = 0.2734
# Numbers of numpy, since the compiler makes a function anew for every plain integer that it is called with.
_NUMBERS: Any = np.arange(14)
(
    NOTHING, BEACON, SHARD, PATCH, GEYSER, MARINE, SCV, COMMAND_CENTER, SUPPLY_DEPOT, REFINERY, BARRACKS, ROACH, ZERGLING,
    BANELING,
) = _NUMBERS  # fmt: skip

KINDS = (
    Kind("nothing", 0),
    Kind("Beacon_Terran", 317, radius=1.875),
    Kind("NaturalMinerals", 1680, radius=0.5),
    Kind("MineralField", 341, radius=0.75, footprint=(2, 1), content=1500),
    Kind("VespeneGeyser", 342, radius=1.5, footprint=(3, 3), content=2000),
    Kind(
        "Marine", 48, 45, 0, True, 0.375, 2.25, sight=9, damage=6, period=0.8608, range=5, damage_point=0.05, scan=5.5,
        minerals=50, build_time=25, supply=1,
    ),
    Kind("SCV", 45, 45, 0, True, 0.375, 2.8125, 2.5, sight=8, minerals=50, build_time=17, supply=1),
    Kind("CommandCenter", 18, 1500, 1, radius=2.75, sight=11, minerals=400, build_time=100, provides=15, footprint=(5, 5)),
    Kind("SupplyDepot", 19, 400, 1, radius=1.25, sight=10, minerals=100, build_time=30, provides=8, footprint=(2, 2)),
    Kind("Refinery", 20, 500, 1, radius=1.5, sight=9, minerals=75, build_time=30, footprint=(3, 3)),
    Kind("Barracks", 21, 1000, 1, radius=1.8, sight=9, minerals=150, build_time=65, footprint=(3, 3)),
    Kind(
        "Roach", 110, 145, 1, False, 0.5, 2.25, sight=9, regeneration=_ZERG, damage=16, period=2, range=4,
        damage_point=0.167, missile=18.75, scan=5, minerals=75, gas=25,
    ),
    Kind(
        "Zergling", 105, 35, 0, True, 0.375, 2.9531, sight=8, regeneration=_ZERG, damage=5, period=0.696, range=0.1,
        damage_point=0.167, scan=5, minerals=25,
    ),
    Kind(
        "Baneling", 9, 30, 0, False, 0.375, 2.5, sight=8, regeneration=_ZERG, damage=20, bonus_to_light=15, period=0.833,
        range=0.25, splash=2.2, scan=5, minerals=50, gas=25,
    ),
)  # fmt: skip


def _column(name: str, factor: float = 1.0) -> NDArray[np.float64]:
    return np.array([float(getattr(kind, name)) * factor for kind in KINDS])


_LOOPS = float(LOOPS_A_SECOND)
TYPE = np.array([kind.type for kind in KINDS])
HIT_POINTS, ARMOR, LIGHT, RADIUS = _column("hit_points"), _column("armor"), _column("light"), _column("radius")
SPEED, ACCELERATION = _column("speed", 1 / _LOOPS), _column("acceleration", 1 / _LOOPS**2)
SIGHT, REGENERATION = _column("sight"), _column("regeneration", 1 / _LOOPS)
DAMAGE, BONUS, RANGE, SPLASH, SCAN = (_column(name) for name in ("damage", "bonus_to_light", "range", "splash", "scan"))
PERIOD, DAMAGE_POINT, MISSILE = (
    _column("period", _LOOPS),
    _column("damage_point", _LOOPS),
    _column("missile", 1 / _LOOPS),
)
MINERALS, VESPENE, SUPPLY, PROVIDES, CONTENT = (
    np.array([getattr(kind, name) for kind in KINDS]) for name in ("minerals", "gas", "supply", "provides", "content")
)
BUILD_LOOPS = _column("build_time", _LOOPS)
HALF_WIDTH = np.array([kind.footprint[0] / 2 for kind in KINDS])
HALF_HEIGHT = np.array([kind.footprint[1] / 2 for kind in KINDS])

#: Rules of the game that are no one kind's.
JITTER_LEAST, JITTER_MOST = -1.0, 2.0  # loops added to each weapon's period, uniform
RANGE_SLOP = 1.0  # an attack that has begun still hits this far beyond the range
HELP_RADIUS, HELP_LOOPS, LEASH = 4.0, 32.0, 21.0
LEAST_DAMAGE = 0.5
SHARD_REACH = 1.0  # from edge to edge
MINERALS_A_TRIP, GAS_A_TRIP = 5, 4
MINERAL_LOOPS, GAS_LOOPS, RETURN_LOOPS = 2.786 * _LOOPS, 1.981 * _LOOPS, 0.5 * _LOOPS
TRAINING_QUEUE, MOST_SUPPLY = 5, 200
# The least distance of a command center's middle from a patch's and from a geyser's.
PATCH_CLEARANCE, GEYSER_CLEARANCE = 6.0, 7.0
