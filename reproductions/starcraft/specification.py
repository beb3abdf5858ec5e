"""The part of pysc2's agent interface that is used: functions with their arguments, feature layers, vectors, by name.

Numbers are those of pysc2 (``lib/actions.py`` and ``lib/features.py``), which a contract test holds this module to. Screen
and minimap are square and of one size. A point is one number, ``y * size + x``, with y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reproductions.shared.rl.environments import Array, Composite, Discrete


@dataclass(frozen=True)
class Function:
    """One of pysc2's functions: its identifier and the names of its arguments' types, in order."""

    id: int
    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Layer:
    """A feature layer: values are 0..scale-1; categories if ``categorical``, else amounts."""

    name: str
    scale: int
    categorical: bool


_SCREEN_COMMAND = ("queued", "screen")
_MINIMAP_COMMAND = ("queued", "minimap")
_QUICK_COMMAND = ("queued",)

FUNCTIONS = {
    function.name: function
    for function in (
        Function(0, "no_op", ()),
        Function(1, "move_camera", ("minimap",)),
        Function(2, "select_point", ("select_point_act", "screen")),
        Function(3, "select_rect", ("select_add", "screen", "screen2")),
        Function(6, "select_idle_worker", ("select_worker",)),
        Function(7, "select_army", ("select_add",)),
        Function(12, "Attack_screen", _SCREEN_COMMAND),
        Function(13, "Attack_minimap", _MINIMAP_COMMAND),
        Function(42, "Build_Barracks_screen", _SCREEN_COMMAND),
        Function(44, "Build_CommandCenter_screen", _SCREEN_COMMAND),
        Function(79, "Build_Refinery_screen", _SCREEN_COMMAND),
        Function(91, "Build_SupplyDepot_screen", _SCREEN_COMMAND),
        Function(264, "Harvest_Gather_screen", _SCREEN_COMMAND),
        Function(274, "HoldPosition_quick", _QUICK_COMMAND),
        Function(331, "Move_screen", _SCREEN_COMMAND),
        Function(332, "Move_minimap", _MINIMAP_COMMAND),
        Function(451, "Smart_screen", _SCREEN_COMMAND),
        Function(452, "Smart_minimap", _MINIMAP_COMMAND),
        Function(453, "Stop_quick", _QUICK_COMMAND),
        Function(477, "Train_Marine_quick", _QUICK_COMMAND),
        Function(490, "Train_SCV_quick", _QUICK_COMMAND),
    )
}

#: Types of arguments with their number of values; the spatial ones are the square of the layers' size.
ARGUMENTS: dict[str, int | None] = {
    "queued": 2,
    "select_point_act": 4,
    "select_add": 2,
    "select_worker": 4,
    "screen": None,
    "screen2": None,
    "minimap": None,
}

SCREEN = (
    Layer("visibility_map", 4, True),
    Layer("player_id", 17, True),
    Layer("player_relative", 5, True),
    Layer("unit_type", 1962, True),
    Layer("selected", 2, True),
    Layer("unit_hit_points", 1600, False),
    Layer("unit_hit_points_ratio", 256, False),
    Layer("unit_density", 16, False),
)

MINIMAP = (
    Layer("visibility_map", 4, True),
    Layer("camera", 2, True),
    Layer("player_id", 17, True),
    Layer("player_relative", 5, True),
    Layer("selected", 2, True),
)

#: Entries of the vectors ``player`` and ``score_cumulative``.
PLAYER = (
    "player_id",
    "minerals",
    "vespene",
    "food_used",
    "food_cap",
    "food_army",
    "food_workers",
    "idle_worker_count",
    "army_count",
    "warp_gate_count",
    "larva_count",
)
SCORE_CUMULATIVE = (
    "score",
    "idle_production_time",
    "idle_worker_time",
    "total_value_units",
    "total_value_structures",
    "killed_value_units",
    "killed_value_structures",
    "collected_minerals",
    "collected_vespene",
    "collection_rate_minerals",
    "collection_rate_vespene",
    "spent_minerals",
    "spent_vespene",
)

#: Values of the layer player_relative.
SELF, NEUTRAL, ENEMY = 1, 3, 4


def observations(functions: tuple[str, ...], size: int) -> dict[str, Array]:
    """What is seen with these functions: the layers [layers, size, size], the vectors, and the mask over the functions."""
    return {
        "feature_screen": Array((len(SCREEN), size, size), np.int32),
        "feature_minimap": Array((len(MINIMAP), size, size), np.int32),
        "player": Array((len(PLAYER),), np.int32),
        "score_cumulative": Array((len(SCORE_CUMULATIVE),), np.int32),
        "available_actions": Array((len(functions),), np.bool_),
    }


def actions(functions: tuple[str, ...], size: int) -> Composite:
    """A function, which is one of ``functions`` by its place there and masked by ``available_actions``, and its arguments."""
    used = [name for name in ARGUMENTS if any(name in FUNCTIONS[function].arguments for function in functions)]
    parts = {"function": Discrete(len(functions), mask="available_actions")}
    parts |= {name: Discrete(ARGUMENTS[name] or size * size) for name in used}
    return Composite(parts, chooser="function", arguments=tuple(FUNCTIONS[name].arguments for name in functions))
