"""The levels on ViZDoom's engine, as data: what an agent can do, what is rewarded, how long an episode is.

Our own are laid out as levels of DeepMind Lab are, with its actions; two come with ViZDoom, with other rewards than there.
The engine counts what the player has; a reward is a counter's rise. So items give ammunition, of a kind for each sort.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reproductions.dmlab import plans
from reproductions.dmlab.wad import Plan, Style

#: Frames of the engine (35 a second) for which an action is held.
FRAME_SKIP = 4


@dataclass(frozen=True)
class Move:
    """What an action does in a frame: degrees turned (right is positive), strafing and moving (map units), fire."""

    turn: int = 0
    strafe: int = 0
    forward: int = 0
    fire: int = 0


#: Named as DeepMind Lab's. 50 and 40 are Doom's running and strafing speeds; a turn is of 20 degrees an action.
MOVES: Mapping[str, Move] = {
    "forward": Move(forward=50),
    "backward": Move(forward=-50),
    "strafe left": Move(strafe=-40),
    "strafe right": Move(strafe=40),
    "look left": Move(turn=-5),
    "look right": Move(turn=5),
    "look left, forward": Move(turn=-5, forward=50),
    "look right, forward": Move(turn=5, forward=50),
    "fire": Move(fire=1),
}
WALKING = tuple(name for name in MOVES if name != "fire")


@dataclass(frozen=True)
class Gain:
    """A reward: ``worth`` for each unit by which an engine's counter rises in a step, or for any rise if ``once``.

    ends: a rise ends the episode.
    """

    counter: str
    worth: float
    once: bool = False
    ends: bool = False


@dataclass(frozen=True)
class Layout:
    """The maps of a level of our own: a function that draws their floor plans, and how these become maps."""

    plans: Callable[[], tuple[Plan, ...]]
    style: Style


@dataclass(frozen=True)
class Level:
    """A level. moves: names of its actions. steps: of the agent, after which an episode is cut. death: reward for it.

    layout: None for a scenario that ViZDoom ships as ``name``.wad, with one map.
    """

    name: str
    about: str
    moves: tuple[str, ...]
    steps: int
    gains: tuple[Gain, ...]
    death: float = 0.0
    layout: Layout | None = None


APPLES, LEMONS, GOALS = Gain("AMMO3", 1.0), Gain("AMMO6", -1.0), Gain("AMMO5", 10.0, ends=True)
THINGS: Mapping[str, int] = {plans.APPLE: 21001, plans.LEMON: 21002, plans.GOAL: 21003}


def _item(name: str, ammunition: str, letter: str, scale: int, brightest: str, darkest: str) -> str:
    """An actor in DECORATE: the engine's sphere in another colour (red, green, blue), which gives one unit of ammunition."""
    return f"""
ACTOR {name} : {ammunition} {THINGS[letter]}
{{
  Inventory.Amount 1
  Scale {scale}
  Radius 20
  Height 40
  Translation "112:127=[{brightest}]:[{darkest}]"
  +INVENTORY.IGNORESKILL
  States
  {{
  Spawn:
    PINV A -1 Bright
    Stop
  }}
}}
"""


#: Twice the size of their sprite or more: else they would be specks in 42 by 42 pixels.
ACTORS = (
    _item("AppleItem", "Shell", plans.APPLE, 2, "255,60,40", "70,0,0")
    + _item("LemonItem", "Cell", plans.LEMON, 2, "255,255,60", "90,80,0")
    + _item("GoalItem", "RocketAmmo", plans.GOAL, 3, "160,200,255", "0,0,120")
)


_ARENA = Style(64, {"0": "STARTAN3"}, "FLOOR0_1", "CEIL3_5", height=128, light=208, things=THINGS)
_CORRIDORS = {"1": "BRICK7", "2": "STONE2", "3": "WOOD1", "4": "METAL1"}
_ROOMS = {"A": "MARBLE1", "B": "COMPBLUE", "C": "BIGDOOR2", "D": "REDWALL"}
_MAZE = replace(_ARENA, cell=96, walls=_CORRIDORS | _ROOMS)
_APPLES_AND_GOAL = (APPLES, GOALS)

LEVELS: Mapping[str, Level] = {
    level.name: level
    for level in (
        Level(
            "seekavoid_arena",
            "an open arena: 14 apples, each +1, and 10 lemons, each -1",
            WALKING,
            300,
            (APPLES, LEMONS),
            layout=Layout(plans.arenas, _ARENA),
        ),
        Level(
            "nav_maze_static",
            "a maze: 5 apples, each +1, and a goal, +10, where they always are; the goal ends the episode",
            WALKING,
            300,
            _APPLES_AND_GOAL,
            layout=Layout(plans.static_mazes, _MAZE),
        ),
        Level(
            "nav_maze_random_goal",
            "a maze: 5 apples, each +1, and a goal, +10, elsewhere in each episode; the goal ends it",
            WALKING,
            300,
            _APPLES_AND_GOAL,
            layout=Layout(plans.random_goal_mazes, _MAZE),
        ),
        Level(
            "health_gathering_supreme",
            "a maze of acid with medical kits, which heal, and vials, which hurt: +1 for each time of healing, -1 for death",
            ("forward", "look left", "look right", "look left, forward", "look right, forward"),
            525,
            (Gain("HEALTH", 1.0, once=True),),
            death=-1.0,
        ),
        Level(
            "defend_the_center",
            "monsters come from all sides: +1 for each that is shot, -1 for death; 26 bullets",
            ("look left", "look right", "fire"),
            525,
            (Gain("KILLCOUNT", 1.0),),
            death=-1.0,
        ),
    )
}
