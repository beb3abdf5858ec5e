"""The game itself behind the same specification: pysc2's environment, with its functions and layers by name.

pysc2 and the game are looked for only where an environment is made. Actions are checked here before pysc2 sees them, since
its own check lets coordinates beyond the screen pass. An episode that a lost connection broke off is void: its reward is
NaN, it ends, and the game is started anew.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.extras import install
from reproductions.shared.rl.environments import Array
from reproductions.starcraft import specification
from reproductions.starcraft.checked import COLUMNS, Checked
from reproductions.starcraft.maps import mini_game

_PACKAGE = "pysc2_evolved"
_SPATIAL = ("screen", "screen2", "minimap")
#: The game has no limit of steps here: the map's own timer ends an episode.
_NO_LIMIT = 0


def missing(name: str) -> str | None:
    """What to install so that the game runs on this map, in one line; None if all is there."""
    if importlib.util.find_spec(_PACKAGE) is None:
        return f"the module {_PACKAGE!r}: {install('starcraft')}"
    home = Path(os.environ.get("SC2PATH", "~/StarCraftII")).expanduser()
    if not any(home.glob("Versions/Base*/SC2*")):
        return f"StarCraft II 4.10 for Linux in {home} (unpack it there, or set SC2PATH to its folder)"
    path = home / "Maps" / "mini_games" / f"{name}.SC2Map"
    if not path.is_file():
        return f"the map {path}: copy it from maps/mini_games of the package {_PACKAGE}"
    return None


def make_game(name: str, size: int, step_mul: int, seed: int) -> Any:
    """pysc2's environment for one map. FileNotFoundError, in one line, if the game is not there."""
    lacking = missing(name)
    if lacking is not None:
        raise FileNotFoundError(f"map {name!r} of the game needs {lacking}")
    from pysc2_evolved.env import sc2_env
    from pysc2_evolved.lib.sc_process import SC2LaunchError

    failures: tuple[type[Exception], ...] = (FileNotFoundError, SC2LaunchError, *_lost())
    try:
        return sc2_env.SC2Env(
            map_name=name,
            players=[sc2_env.Agent(sc2_env.Race.terran)],
            agent_interface_format=interface(size),
            step_mul=step_mul,
            game_steps_per_episode=_NO_LIMIT,
            random_seed=seed,
            ensure_available_actions=True,
        )
    except failures as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise FileNotFoundError(f"map {name!r}: the game cannot be started: {said}") from error


def check(name: str, size: int, step_mul: int) -> None:
    """ValueError, in one line, unless the game begins an episode of this map."""
    failures: tuple[type[Exception], ...] = (FileNotFoundError, *_lost())
    try:
        game = make_game(name, size, step_mul, 0)
        try:
            game.reset()
        finally:
            game.close()
    except failures as error:
        raise ValueError(f"map = {name!r}: no episode of it begins: {error}") from None


def interface(size: int) -> Any:
    """pysc2's agent interface: feature layers of one size, and actions on them, the general ones for the specific."""
    from pysc2_evolved.lib import features

    return features.AgentInterfaceFormat(feature_dimensions=features.Dimensions(screen=size, minimap=size))


def _lost() -> tuple[type[Exception], ...]:
    """What pysc2 raises when the game does not answer any more."""
    from pysc2_evolved.lib import protocol, remote_controller

    return (
        protocol.ConnectionError,
        protocol.ProtocolError,
        remote_controller.ConnectError,
        remote_controller.RequestError,
    )


Make = Callable[[str, int, int, int], Any]


class RealMiniGames:
    """``batch`` games of one map, each in a process of its own: ``Environments``, and not resumable.

    make: what gives pysc2's environment for (map, size, step_mul, seed). Rewards are differences of the map's score. An episode
    ends when pysc2 says LAST, whose discount is 0 also when the map's timer ran out.
    """

    def __init__(self, name: str, batch: int, size: int = 64, step_mul: int = 8, make: Make = make_game) -> None:
        if batch < 1:
            raise ValueError(f"batch = {batch!r} must be at least 1")
        self.map, self.batch, self.size, self.step_mul = mini_game(name), batch, size, step_mul
        self.functions = self.map.functions
        self.observations: Mapping[str, Array] = specification.observations(self.functions, size)
        self.actions = specification.actions(self.functions, size)
        self._checked = Checked(self.functions, self.actions, batch)
        self._ids = np.array([specification.FUNCTIONS[name].id for name in self.functions])
        self._make = make
        self._seed, self._restarts = 0, 0
        self._games: list[Any] = []
        self._seen = {key: np.zeros((batch, *array.shape), array.dtype) for key, array in self.observations.items()}

    def begin(self, seed: int) -> None:
        """New games and episodes. The game's own chance follows its seed as far as the game keeps to it."""
        self.close()
        self._seed, self._restarts = seed, 0
        for game in range(self.batch):
            self._games.append(self._start(game))
            self._look(game, self._games[game].reset()[0])

    def observe(self) -> dict[str, NDArray[Any]]:
        """What is seen now, by the names of ``observations``; valid until the next step."""
        return self._seen

    def step(self, actions: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """One step in each game. ValueError if an action is not one; nothing has happened then."""
        rows = self._checked.rows(actions, self._seen["available_actions"])
        rewards, ended = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        lost = _lost()
        for game in range(self.batch):
            try:
                result = self._games[game].step([self.call(rows[game])])[0]
                rewards[game], ended[game] = result.reward, result.last()
                if ended[game]:
                    result = self._games[game].reset()[0]
            except lost:
                rewards[game], ended[game] = np.nan, True
                result = self._restart(game)
            self._look(game, result)
        return rewards, ended

    def close(self) -> None:
        """End all games."""
        while self._games:
            self._games.pop().close()

    def call(self, row: NDArray[np.int64]) -> Any:
        """pysc2's call of a checked row of an action: points as [x, y]."""
        from pysc2_evolved.lib import actions

        function = specification.FUNCTIONS[self.functions[row[0]]]
        arguments = []
        for name in function.arguments:
            value = int(row[COLUMNS.index(name)])
            arguments.append([value % self.size, value // self.size] if name in _SPATIAL else [value])
        return actions.FunctionCall(function.id, arguments)

    def _start(self, game: int) -> Any:
        seed = np.random.SeedSequence(self._seed, spawn_key=(game, self._restarts)).generate_state(1)[0]
        return self._make(self.map.name, self.size, self.step_mul, int(seed) % 2**31)

    def _restart(self, game: int) -> Any:
        """A new process for this game, and its first observation."""
        self._restarts += 1
        self._games[game].close()
        self._games[game] = self._start(game)
        return self._games[game].reset()[0]

    def _look(self, game: int, timestep: Any) -> None:
        seen = timestep.observation
        for key, layers in (("feature_screen", specification.SCREEN), ("feature_minimap", specification.MINIMAP)):
            for place, layer in enumerate(layers):
                self._seen[key][game, place] = seen[key][layer.name]
        for key, names in (("player", specification.PLAYER), ("score_cumulative", specification.SCORE_CUMULATIVE)):
            self._seen[key][game] = [seen[key][name] for name in names]
        self._seen["available_actions"][game] = np.isin(self._ids, seen["available_actions"])
