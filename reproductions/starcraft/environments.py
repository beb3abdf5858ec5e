"""The simulated mini-games behind pysc2's specification: a batch of games whose state is data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.shared.rl.environments import Array
from reproductions.starcraft import specification
from reproductions.starcraft.checked import Checked
from reproductions.starcraft.maps import MAP_SIZE, MAPS, mini_game
from reproductions.starcraft.simulation import play
from reproductions.starcraft.simulation.chance import seeds
from reproductions.starcraft.simulation.compiled import records
from reproductions.starcraft.simulation.state import GAME, UNIT

#: Edges of screen and minimap, in cells.
SIZES = (16, 32, 64)


class MiniGames:
    """``batch`` games of one map in this process. They are ``Resumable``: what is saved goes on exactly.

    size: cells of an edge of screen and minimap; step_mul: game loops a step. A game follows from its seed and its actions
    alone, not from the batch. Rewards are differences of the map's score. An episode ends with the map's timer, or when all
    marines are dead, and a new one follows at once. ValueError if the map or the size is unknown.

    units [batch, slots], games [batch] and explored [batch, 64, 64] are the state itself (``simulation.state``), for pictures.
    """

    def __init__(self, name: str, batch: int, size: int = 64, step_mul: int = 8) -> None:
        if size not in SIZES:
            raise ValueError(f"size = {size!r} must be one of {list(SIZES)}")
        for what, value in (("batch", batch), ("step_mul", step_mul)):
            if value < 1:
                raise ValueError(f"{what} = {value!r} must be at least 1")
        self.map, self.batch, self.size, self.step_mul = mini_game(name), batch, size, step_mul
        functions = self.map.functions
        self.functions = functions
        self.observations: Mapping[str, Array] = specification.observations(functions, size)
        self.actions = specification.actions(functions, size)
        self._checked = Checked(functions, self.actions, batch)
        self._rules = play.Rules(
            list(MAPS).index(name),
            self.map.fights,
            self.map.fog,
            *self.map.camera,
            self.map.loops,
            step_mul,
            size,
        )
        self._ids = np.array([specification.FUNCTIONS[function].id for function in functions])
        self.units = records(np.zeros((batch, self.map.slots), UNIT))
        self.games = records(np.zeros(batch, GAME))
        self.explored = np.zeros((batch, int(MAP_SIZE), int(MAP_SIZE)), np.bool_)
        self._seen = {key: np.zeros((batch, *array.shape), array.dtype) for key, array in self.observations.items()}
        self._fresh = False

    def begin(self, seed: int) -> None:
        """New episodes in all games; everything random follows from the seed."""
        # Whoever played here before leaves nothing behind, not even in fields that no rule reads now.
        self.units[...] = np.zeros((), UNIT)
        self.games[...] = np.zeros((), GAME)
        self.games["seed"] = seeds(seed, self.batch)
        for side, value in self.map.playable._asdict().items():
            self.games[side] = value
        play.begin_all(self.units, self.games, self.explored, self._rules)
        self._fresh = False

    def observe(self) -> dict[str, NDArray[Any]]:
        """What is seen now, by the names of ``observations``, each [batch, ...]; valid until the next step."""
        if not self._fresh:
            seen = self._seen
            play.observe_all(
                self.units,
                self.games,
                self.explored,
                self._rules,
                self._ids,
                seen["feature_screen"],
                seen["feature_minimap"],
                seen["player"],
                seen["score_cumulative"],
                seen["available_actions"],
            )
            self._fresh = True
        return self._seen

    def step(self, actions: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """One step in each game. actions: int64 [batch] for each part of ``actions``. Rewards [batch], ended [batch].

        ValueError if an action is not one, with the game and the function; nothing has happened then.
        """
        rows = self._checked.rows(actions, self.observe()["available_actions"])
        rows[:, 0] = self._ids[rows[:, 0]]
        rewards, ended = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        play.step_all(self.units, self.games, self.explored, self._rules, rows, rewards, ended)
        self._fresh = False
        return rewards, ended

    def save(self) -> dict[str, NDArray[Any]]:
        """The state: every field of games, [batch], and of units, [batch, slots, ...], and what was explored."""
        arrays = {f"game.{name}": np.array(self.games[name]) for name in GAME.names or ()}
        arrays |= {f"unit.{name}": np.array(self.units[name]) for name in UNIT.names or ()}
        arrays |= {"explored": self.explored.copy()}
        return {name: array.view(np.int64) if array.dtype == np.uint64 else array for name, array in arrays.items()}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go on where ``save`` was called. ValueError if it was another map or batch."""
        fields = [(f"game.{name}", self.games[name]) for name in GAME.names or ()]
        fields += [(f"unit.{name}", self.units[name]) for name in UNIT.names or ()]
        fields += [("explored", self.explored)]
        if set(arrays) != {name for name, _ in fields}:
            differing = sorted(set(arrays) ^ {name for name, _ in fields})
            raise ValueError(f"the saved games lack or have too much: {differing}")
        for name, field in fields:
            if arrays[name].shape != field.shape:
                raise ValueError(f"{name} of the saved games is {arrays[name].shape}, and must be {field.shape}")
        for name, field in fields:
            field[...] = arrays[name].view(np.uint64) if field.dtype == np.uint64 else arrays[name]
        self._fresh = False
