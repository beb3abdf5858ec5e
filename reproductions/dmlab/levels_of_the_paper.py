"""The fifteen levels of the paper, which of them are public, and scores that others published; needs no simulator.

The paper's text names the suite alone ("15 levels"); the names are remembered (mark ``recall``): the 13 of the UNREAL paper
and two ``emstm`` levels, as its figures label them. Neither paper prints scores of humans or of random play by level, and no
other source of them was found for the public ten: those are reported raw. For levels of DMLab-30 both are published.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from reproductions.suite.study.sweep import Anchor

DMLAB_30 = "contributed/dmlab30/"


@dataclass(frozen=True)
class PaperLevel:
    """A level by the paper's name. script: in google-deepmind/lab (game_scripts/levels), None if there is none of that name.

    nearest: the public script that comes nearest where there is none.
    """

    script: str | None
    nearest: str | None = None


PAPER_LEVELS: Mapping[str, PaperLevel] = {
    "emstm_non_match": PaperLevel(None, nearest="rooms_select_nonmatching_object"),
    "emstm_watermaze": PaperLevel(None, nearest="rooms_watermaze"),
    "lt_hallway_slope": PaperLevel("lt_hallway_slope"),
    "lt_horseshoe_color": PaperLevel("lt_horseshoe_color"),
    "nav_maze_all_random_01": PaperLevel(None, nearest="demos/random_maze"),
    "nav_maze_all_random_02": PaperLevel(None, nearest="demos/random_maze"),
    "nav_maze_all_random_03": PaperLevel(None, nearest="demos/random_maze"),
    "nav_maze_random_goal_01": PaperLevel("nav_maze_random_goal_01"),
    "nav_maze_random_goal_02": PaperLevel("nav_maze_random_goal_02"),
    "nav_maze_random_goal_03": PaperLevel("nav_maze_random_goal_03"),
    "nav_maze_static_01": PaperLevel("nav_maze_static_01"),
    "nav_maze_static_02": PaperLevel("nav_maze_static_02"),
    "nav_maze_static_03": PaperLevel("nav_maze_static_03"),
    "seekavoid_arena_01": PaperLevel("seekavoid_arena_01"),
    "stairway_to_melon_01": PaperLevel("stairway_to_melon"),
}

#: The released code of "IMPALA" (Espeholt et al., 2018), which its paper's tables go by: mean returns of an episode.
_impala = partial(Anchor, source="https://github.com/google-deepmind/scalable_agent/blob/master/dmlab30.py")
#: Random play and humans on the levels of DMLab-30 that run from the public sources without further data. (Of
#: rooms_collect_good_objects, the scores are those of its test version.)
ANCHORS: Mapping[str, Anchor] = {
    "explore_goal_locations_large": _impala(3.14, 194.5),
    "explore_goal_locations_small": _impala(7.66, 267.5),
    "explore_object_locations_large": _impala(4.673, 65.65),
    "explore_object_locations_small": _impala(3.575, 74.45),
    "explore_object_rewards_few": _impala(2.073, 77.7),
    "explore_object_rewards_many": _impala(2.438, 106.7),
    "explore_obstructed_goals_large": _impala(2.61, 119.5),
    "explore_obstructed_goals_small": _impala(6.76, 206.0),
    "lasertag_one_opponent_large": _impala(-0.083, 18.6),
    "lasertag_one_opponent_small": _impala(-0.224, 12.65),
    "lasertag_three_opponents_large": _impala(-0.102, 31.5),
    "lasertag_three_opponents_small": _impala(-0.214, 18.55),
    "rooms_collect_good_objects_test": _impala(0.073, 10.0),
    "rooms_collect_good_objects_train": _impala(0.073, 10.0),
    "rooms_keys_doors_puzzle": _impala(4.135, 53.8),
    "rooms_select_nonmatching_object": _impala(0.312, 65.9),
    "rooms_watermaze": _impala(4.065, 54.0),
}

#: Whether a fresh process repeats a level to the pixel, given the same resets and actions, on one machine with software
#: rendering (found out by running DeepMind Lab b1db91a); of levels that are not here nothing is known. A second reset with
#: the same seed in one process is another episode on all of them.
EXACT: Mapping[str, bool] = {
    "lt_chasm": True,
    "lt_hallway_slope": True,
    "lt_horseshoe_color": False,
    "lt_space_bounce_hard": False,
    "nav_maze_random_goal_01": True,
    "nav_maze_static_01": True,
    "rooms_watermaze": True,
    "seekavoid_arena_01": True,
    "stairway_to_melon": True,
}


def script(level: str) -> str:
    """The script that DeepMind Lab knows a level by; ValueError for a level of the paper of which there is none.

    Names that are not known here are scripts, which DeepMind Lab may know.
    """
    if level in PAPER_LEVELS:
        known = PAPER_LEVELS[level]
        if known.script is None:
            raise ValueError(f"level = {level!r} is not public; the nearest that is public is {known.nearest!r}")
        return known.script
    return DMLAB_30 + level if level in ANCHORS else level
