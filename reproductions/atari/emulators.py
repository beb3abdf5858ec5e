"""A batch of Atari games in one process, stepped one after another, whose running state is plain data.

The library's vector environment cannot save running games; this one can, exactly, and is no slower (see
``python benchmarks/atari_speed.py``). Preprocessing is that of the A3C and FuN papers: each action repeated over
``FRAME_SKIP`` frames, the maximum of the last two in grayscale, scaled down, the last ``STACK`` of these stacked.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import ale_py
import cv2
import numpy as np
from numpy.typing import NDArray

from reproductions.shared.rl.environments import Array, Arrays, Discrete

FRAME_SKIP, STACK = 4, 4
#: Up to so many frames without action begin an episode, as in the published human and random scores.
NO_OPS = 30
#: Frames after which an episode is cut: half an hour of play.
FRAME_LIMIT = 108_000
#: Games that nobody can play alone: loading one ends the process. ale_py registers no environment for them (registration.py).
FOR_TWO = frozenset({"combat", "joust", "maze_craze", "warlords"})

ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
cv2.setNumThreads(1)


class Emulators:
    """``batch`` games of one kind; see ``reproductions.shared.rl.environments.Resumable`` for the contract.

    size: height and width of an observation in pixels. sticky: probability that an action is repeated instead of the new
    one taken (0: the paper's time). ValueError for a game without ROM, or for two players.
    """

    def __init__(self, game: str, batch: int, size: int, sticky: float = 0.0) -> None:
        known = [rom for rom in ale_py.roms.get_all_rom_ids() if rom not in FOR_TWO]
        rom = ale_py.roms.get_rom_path(game) if game in known else None
        if rom is None:
            near = difflib.get_close_matches(game.lower(), known) or ["ms_pacman", "pong"]
            raise ValueError(
                f"game = {game!r} must be one of the {len(known)} of ale_py.roms for one player, such as {', '.join(near)}"
            )
        self.batch, self.size, self.sticky = batch, size, sticky
        self._rom = rom
        self._games = [self._emulator() for _ in range(batch)]
        self._new = self._games[0].cloneState(include_rng=True)
        self._codes = self._games[0].getMinimalActionSet()
        self.actions = Discrete(len(self._codes))
        height, width = self._games[0].getScreenDims()
        self._last, self._before = np.empty((2, height, width), np.uint8)
        self.observations = {"pixels": Array((STACK, size, size), np.uint8)}
        self._frames = self.observations["pixels"].zeros(batch)
        self._episodes = np.zeros(batch, np.int64)
        # The last action of each game, and the number of steps so far: sticky actions depend on both.
        self._held = np.zeros(batch, np.int64)
        self._seed = self._ticks = 0

    def begin(self, seed: int) -> None:
        """New episodes in all games; every later episode's beginning follows from ``seed`` too."""
        self._seed, self._ticks = seed, 0
        self._episodes[:] = 0
        self._held[:] = 0
        for index, game in enumerate(self._games):
            game.restoreState(self._new)  # a reset alone would leave counters of frames as they are
            self._reset(index)

    def observe(self) -> Arrays:
        return {"pixels": self._frames}

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        rewards, ended = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        taken = self._taken(actions)
        self._held = taken[-1]
        self._ticks += 1
        for index, game in enumerate(self._games):
            *first, last = (self._codes[action] for action in taken[:, index])
            rewards[index] = sum(game.act(code) for code in first)
            game.getScreenGrayscale(self._before)
            rewards[index] += game.act(last)
            game.getScreenGrayscale(self._last)
            ended[index] = game.game_over() or game.getEpisodeFrameNumber() >= FRAME_LIMIT
            if ended[index]:
                self._reset(index)
            else:
                self._frames[index, :-1] = self._frames[index, 1:]
                self._frames[index, -1] = self._scaled(np.maximum(self._before, self._last))
        return rewards, ended

    def save(self) -> Arrays:
        states = [game.cloneState(include_rng=True).serialize() for game in self._games]
        return {
            "emulators": np.frombuffer(b"".join(states), np.uint8),
            "lengths": np.array([len(state) for state in states], np.int64),
            "frames": self._frames.copy(),
            "episodes": self._episodes.copy(),
            "held": self._held.copy(),
            "seed_and_ticks": np.array([self._seed, self._ticks], np.int64),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        begin = 0
        for game, length in zip(self._games, arrays["lengths"], strict=True):
            state = ale_py.ALEState.__new__(ale_py.ALEState)
            # The only way in for serialised bytes; nothing is unpickled. (Its stub asks for a tuple.)
            state.__setstate__(arrays["emulators"][begin : begin + length].tobytes())  # type: ignore[arg-type]
            game.restoreState(state)
            begin += length
        self._frames[:] = arrays["frames"]
        self._episodes[:] = arrays["episodes"]
        self._held[:] = arrays["held"]
        self._seed, self._ticks = (int(value) for value in arrays["seed_and_ticks"])

    def _taken(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The action of each frame, int [FRAME_SKIP, batch]: in each, the one before may stick (Machado et al., 2018)."""
        taken = np.tile(actions, (FRAME_SKIP, 1))
        if self.sticky:
            sticks = np.random.default_rng([self._seed, self._ticks]).random(taken.shape) < self.sticky
            before = self._held
            for now, stuck in zip(taken, sticks, strict=True):
                now[stuck] = before[stuck]
                before = now
        return taken

    def _emulator(self) -> ale_py.ALEInterface:
        emulator = ale_py.ALEInterface()
        emulator.setInt("random_seed", 0)
        emulator.setFloat("repeat_action_probability", 0.0)  # ``_taken`` does it: states do not hold the last action
        emulator.setInt("frame_skip", 1)
        emulator.loadROM(self._rom)
        return emulator

    def _reset(self, index: int) -> None:
        """Begin another episode of one game, some frames late, so that episodes differ."""
        game = self._games[index]
        game.reset_game()
        draws = np.random.default_rng([self._seed, index, int(self._episodes[index])])
        for _ in range(int(draws.integers(1, NO_OPS + 1))):
            game.act(0)
        game.getScreenGrayscale(self._last)
        self._frames[index] = self._scaled(self._last)
        self._episodes[index] += 1

    def _scaled(self, screen: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(screen, (self.size, self.size), interpolation=cv2.INTER_AREA))
