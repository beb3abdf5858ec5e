"""The mini-games by their maps' own scripts: regions, distances, counts, scores and limits.

Every number is in the map's archive (``MapScript.galaxy``, ``Regions``, ``Objects``), which a contract test opens. Lengths
are world units, y is up, a second is 16 game loops. Functions are what a player of the map needs for its goal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

LOOPS_A_SECOND = 16
#: World units that the screen shows, in x and in y, and the size of every map.
VIEW, MAP_SIZE = 24.0, 64.0
#: The scripts pan the camera to the centre of the playable region and this far down.
CAMERA_BELOW_CENTRE = 3.0


class Rectangle(NamedTuple):
    """x0 <= x <= x1, y0 <= y <= y1."""

    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class MiniGame:
    """A map. slots: the most units, of all kinds, that the simulation of it holds; fights: whether units
    shoot and push each other; on the other maps they pass through each other and there is nobody to shoot."""

    name: str
    playable: Rectangle
    seconds: int
    functions: tuple[str, ...]
    slots: int
    fights: bool = False
    fog: bool = False

    @property
    def loops(self) -> int:
        """The length of an episode in game loops."""
        return self.seconds * LOOPS_A_SECOND

    @property
    def camera(self) -> tuple[float, float]:
        """The world's point in the middle of the screen when an episode begins."""
        area = self.playable
        return (area.x0 + area.x1) / 2, (area.y0 + area.y1) / 2 - CAMERA_BELOW_CENTRE


_SELECT = ("no_op", "select_point", "select_rect")
# Where there is nobody to fight: to stop and to hold are to attack nobody, and no goal needs them.
_WALK = (*_SELECT, "select_army", "Move_screen", "Smart_screen")
_ARMY = (*_SELECT, "select_army", "Attack_screen", "HoldPosition_quick", "Move_screen", "Smart_screen", "Stop_quick")
_ROAM = (*_ARMY, "move_camera", "Attack_minimap", "Move_minimap", "Smart_minimap")
_WORK = (*_SELECT, "select_idle_worker", "Harvest_Gather_screen", "Move_screen", "Smart_screen", "Stop_quick")
_GAS = (*_WORK, "Build_SupplyDepot_screen", "Build_Refinery_screen", "Build_CommandCenter_screen", "Train_SCV_quick")
_MARINES = (*_WORK, "Build_SupplyDepot_screen", "Build_Barracks_screen", "Train_SCV_quick", "Train_Marine_quick")

_ARENA = Rectangle(22.0002, 20, 44, 36)
_FIELD = Rectangle(10.0002, 12, 54, 44)
_BASE = Rectangle(19.9362, 18.998, 45.936, 36.998)

MAPS = {
    game.name: game
    for game in (
        MiniGame("MoveToBeacon", _ARENA, 120, _WALK, slots=2, fights=True),
        MiniGame("CollectMineralShards", _ARENA, 120, _WALK, slots=22, fights=True),
        MiniGame("DefeatRoaches", _ARENA, 120, _ARMY, slots=72, fights=True),
        MiniGame("DefeatZerglingsAndBanelings", _ARENA, 120, _ARMY, slots=72, fights=True),
        MiniGame("FindAndDefeatZerglings", _FIELD, 180, _ROAM, slots=28, fights=True, fog=True),
        MiniGame("CollectMineralsAndGas", _BASE, 420, _GAS, slots=128),
        MiniGame("BuildMarines", _BASE, 900, _MARINES, slots=288),
    )
}


def mini_game(name: str) -> MiniGame:
    """The map of this name. ValueError if there is none."""
    if name not in MAPS:
        raise ValueError(f"map = {name!r} must be one of {list(MAPS)}")
    return MAPS[name]


@dataclass(frozen=True)
class Beacon:
    """MoveToBeacon: +1 whenever the marine's centre is within ``reach`` of the beacon, which then moves."""

    region: Rectangle
    hole_x: float = 33.0
    hole_y: float = 28.0
    hole_radius: float = 4.0
    from_marine: float = 5.0
    reach: float = 1.25


@dataclass(frozen=True)
class Shards:
    """CollectMineralShards: +1 a shard; 20 new ones when all are gone."""

    region: Rectangle
    marines: int = 2
    shards: int = 20
    from_marine: float = 2.0


@dataclass(frozen=True)
class Defeat:
    """DefeatRoaches and DefeatZerglingsAndBanelings: sides by a coin, waves of enemies, and marines added after each."""

    kill: int
    added: int
    left: Rectangle
    right: Rectangle
    marines: int = 9
    loss: int = -1


@dataclass(frozen=True)
class Find:
    """FindAndDefeatZerglings: two zerglings near, the rest further off; when all are dead, as many anywhere."""

    region: Rectangle
    marines: int = 3
    marine_distance: float = 1.0
    zerglings: int = 25
    first_nearest: float = 8.0
    first_farthest: float = 9.0
    ring_inner: float = 7.5
    ring_outer: float = 9.5
    hole_radius: float = 10.5
    apart: float = 5.0
    from_marine: float = 9.0
    kill: int = 1
    loss: int = -1


@dataclass(frozen=True)
class Base:
    """CollectMineralsAndGas and BuildMarines: a command center, 12 workers on one side of it by a coin, resources."""

    patches: tuple[tuple[float, float], ...]
    geysers: tuple[tuple[float, float], ...]
    command_center: tuple[float, float] = (29.8251, 28.0083)
    worker_columns: tuple[float, float] = (4.5, 3.5)
    worker_rows: tuple[float, ...] = (2.5, 1.5, 0.5, -0.5, -1.5, -2.5)
    minerals: int = 50


_LEFT_SIDE = Rectangle(23.9748, 25.0637, 27.9787, 31.0483)
_RIGHT_SIDE = Rectangle(38.0207, 25.0427, 42.0351, 31.0773)

BEACON = Beacon(Rectangle(23.5002, 21.5002, 42.5, 34.5))
SHARDS = Shards(Rectangle(23.0002, 21, 43, 35))
ROACHES = Defeat(kill=10, added=5, left=_LEFT_SIDE, right=_RIGHT_SIDE)
ROACH_ROWS = (0.5, 1.5, -0.5, -1.5)
BANELINGS = Defeat(kill=5, added=4, left=_LEFT_SIDE, right=_RIGHT_SIDE)
ZERGLING_COUNT, BANELING_COUNT = 6, 4
FIND = Find(Rectangle(11, 13, 53, 43))
_LEFT = (
    (23.0, 28.5),
    (24.0, 29.5),
    (23.0, 26.5),
    (25.0, 22.5),
    (25.0, 32.5),
    (24.0, 23.5),
    (24.0, 31.5),
    (24.0, 25.5),
)
_RIGHT = (
    (41.0, 22.5),
    (42.0, 25.5),
    (42.0, 23.5),
    (41.0, 32.5),
    (43.0, 26.5),
    (43.0, 28.5),
    (42.0, 29.5),
    (42.0, 31.5),
)
GAS = Base(_LEFT + _RIGHT, ((39.5, 20.5), (26.5, 34.5), (39.5, 34.5), (26.5, 20.5)))
MARINES = Base(_LEFT, ())
#: BuildMarines orders its workers to this patch, and the command center's rally point is on it.
FIRST_PATCH = (23.0, 26.5)
