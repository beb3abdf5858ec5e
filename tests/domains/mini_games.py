"""Simulated mini-games for tests: how to play them, and to set a scene."""

import numpy as np

from reproductions.starcraft import maps
from reproductions.starcraft.environments import MiniGames
from reproductions.starcraft.simulation import state
from reproductions.starcraft.specification import SCREEN

LAYER = {layer.name: place for place, layer in enumerate(SCREEN)}


def games(name, batch=1, size=64, seed=0, step_mul=8):
    environments = MiniGames(name, batch, size, step_mul)
    environments.begin(seed)
    return environments


def call(environments, function="no_op", **arguments):
    """The same call in every game."""
    values = {"function": environments.functions.index(function), **arguments}
    return environments.step(
        {name: np.full(environments.batch, values.get(name, 0), np.int64) for name in environments.actions.parts}
    )


def at(environments, x, y):
    """The cell of the screen that holds a point of the world."""
    game, size = environments.games[0], environments.size
    column = int((x - game["camera_x"] + maps.VIEW / 2) * size / maps.VIEW)
    row = int((game["camera_y"] + maps.VIEW / 2 - y) * size / maps.VIEW)
    assert 0 <= column < size
    assert 0 <= row < size
    return row * size + column


def on_minimap(environments, x, y):
    size = environments.size
    return int((maps.MAP_SIZE - y) * size / maps.MAP_SIZE) * size + int(x * size / maps.MAP_SIZE)


def units(environments, kind, game=0):
    """Slots of the living units of a kind."""
    return np.flatnonzero(environments.units[game]["kind"] == kind)


def put(environments, slot, **fields):
    """Change a unit, as a scene needs it; a unit that is moved stands there."""
    if "x" in fields:
        fields = {**fields, "guard_x": fields["x"], "guard_y": fields["y"]}
    for name, value in fields.items():
        environments.units[name][0, slot] = value
    environments._fresh = False


def scene(environments, *placed):
    """Only these units, each (kind, owner, x, y), on the map; their slots."""
    environments.units["kind"] = 0
    for kind, owner, x, y in placed:
        state.spawn(environments.units[0], environments.games[0:1][0], kind, owner, x, y)
    environments._fresh = False
    return range(len(placed))


def view(environments, name):
    return environments.observe()["feature_screen"][0, LAYER[name]]


def can(environments):
    mask = environments.observe()["available_actions"][0]
    return {name for name, possible in zip(environments.functions, mask, strict=True) if possible}


def random_actions(environments, rng):
    mask = environments.observe()["available_actions"]
    actions = {name: rng.integers(part.n, size=environments.batch) for name, part in environments.actions.parts.items()}
    actions["function"] = np.array([rng.choice(np.flatnonzero(row)) for row in mask])
    return actions
