"""A batch of games on ViZDoom's engine, whose running state is a few numbers: running episodes are played again.

The engine's own saved games are not exact (the first reward after one is wrong, a save takes frames, counters are lost).
What an episode is follows from its seed and its actions, so these are the state; playing again is not drawn, and three
times as fast as playing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import vizdoom
from numpy.typing import NDArray

from reproductions.dmlab import plans, wad
from reproductions.dmlab.engine import HEIGHT, Game, scaled
from reproductions.dmlab.levels import ACTORS, LEVELS, MOVES, Level
from reproductions.dmlab.spaces import pixels
from reproductions.shared.assets import once
from reproductions.shared.rl.environments import Discrete


def scenario(level: Level, root: Path) -> Path:
    """The archive with the maps of a level, made below the folder ``root`` once; DataError if it was altered since."""
    if level.layout is None:
        return Path(vizdoom.scenarios_path) / f"{level.name}.wad"
    content = wad.level(level.layout.plans(), level.layout.style, ACTORS)
    key = hashlib.sha256(content).hexdigest()[:12]

    def build(empty: Path) -> None:
        (empty / "level.wad").write_bytes(content)

    return once(root / f"doom-{level.name}-{key}", ("level.wad",), build) / "level.wad"


class Doom:
    """``batch`` games of one level; see ``reproductions.shared.rl.environments`` for the contract (``Resumable``).

    level: a key of ``LEVELS``. size: height and width of an observation in pixels, of which the engine draws 120. root:
    folder for what is made once. ValueError for another level, or a size that is not between 1 and 120.
    """

    def __init__(self, level: str, batch: int, size: int, root: Path) -> None:
        if level not in LEVELS:
            raise ValueError(f"level = {level!r} must be one of {', '.join(LEVELS)}")
        if not 1 <= size <= HEIGHT:
            raise ValueError(f"size = {size} must be one of 1 to {HEIGHT}")
        self.level, self.batch, self.size = LEVELS[level], batch, size
        self.observations = pixels(size, size)
        self.actions = Discrete(len(self.level.moves))
        self._maps = 1 if self.level.layout is None else plans.MAPS
        self._frames = np.zeros((batch, 3, size, size), np.uint8)
        self._episodes = np.zeros(batch, np.int64)
        self._taken: list[list[int]] = [[] for _ in range(batch)]
        self._counters = np.zeros((batch, len(self.level.gains)))
        self._seed = 0
        path = scenario(self.level, root)
        moves = [MOVES[name] for name in self.level.moves]
        names = [gain.counter for gain in self.level.gains]
        self._games = [Game(path, root, moves, names) for _ in range(batch)]

    def begin(self, seed: int) -> None:
        """New episodes in all games; every later episode follows from ``seed`` too."""
        self._seed = seed
        self._episodes[:] = 0
        for index in range(self.batch):
            self._start(index)
            self._see(index)

    def observe(self) -> dict[str, NDArray[Any]]:
        """``pixels``, uint8 [batch, 3, size, size]; valid until the next step."""
        return {"pixels": self._frames}

    def screens(self) -> NDArray[np.uint8]:
        """What the engine draws, before it is scaled, uint8 [batch, 120, 160, 3]: for figures."""
        return np.stack([game.screen() for game in self._games])

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Hold each action for four frames: rewards, float64 [batch], and whether episodes ended, bool [batch]."""
        rewards, ended = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        for index, action in enumerate(actions.tolist()):
            died = self._games[index].act(action)
            self._taken[index].append(action)
            rewards[index], over = self._reward(index, died)
            ended[index] = over or len(self._taken[index]) == self.level.steps
            if ended[index]:
                self._episodes[index] += 1
                self._start(index)
            self._see(index)
        return rewards, ended

    def save(self) -> dict[str, NDArray[Any]]:
        """The seed, the number of each game's episode, and the actions taken in it so far, one game after another."""
        return {
            "seed": np.array([self._seed], np.int64),
            "episodes": self._episodes.copy(),
            "lengths": np.array([len(taken) for taken in self._taken], np.int64),
            "actions": np.concatenate([np.array(taken, np.uint8) for taken in self._taken]),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Begin the episodes that ran when ``arrays`` were saved, and play them again up to there."""
        self._seed = int(arrays["seed"][0])
        self._episodes[:] = arrays["episodes"]
        for index, taken in enumerate(np.split(arrays["actions"], np.cumsum(arrays["lengths"])[:-1])):
            self._start(index)
            self._taken[index] = taken.tolist()
            self._games[index].replay(self._taken[index])
            self._counters[index] = self._games[index].counters()
            self._see(index)

    def close(self) -> None:
        """End the engines; ``begin`` and ``load`` would start them again."""
        for game in self._games:
            game.close()

    def _start(self, index: int) -> None:
        """Begin the episode of one game that its number names."""
        draws = np.random.default_rng([self._seed, index, int(self._episodes[index])])
        self._games[index].begin(wad.map_name(int(draws.integers(self._maps)) + 1), int(draws.integers(2**31)))
        self._taken[index] = []
        self._counters[index] = self._games[index].counters()

    def _reward(self, index: int, died: bool) -> tuple[float, bool]:
        """What one game's counters gained in the last step, and whether that, or death, ended the episode."""
        counters = self._games[index].counters()
        reward, ended = (self.level.death, True) if died else (0.0, False)
        for gain, rise in zip(self.level.gains, counters - self._counters[index], strict=True):
            if rise > 0:
                reward += gain.worth * (1 if gain.once else rise)
                ended |= gain.ends
        self._counters[index] = counters
        return reward, ended

    def _see(self, index: int) -> None:
        self._frames[index] = scaled(self._games[index].screen(), self.size)
