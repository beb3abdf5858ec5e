"""One game of ViZDoom, whose engine is a process of its own: it dies with its driver and leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import vizdoom
from numpy.typing import NDArray

from reproductions.dmlab import launcher
from reproductions.dmlab.levels import FRAME_SKIP, Move
from reproductions.dmlab.scratch import Scratch
from reproductions.shared.assets import DataError, once

#: Where the engine's shared memory has its names; on other systems than Linux they are no files.
SHARED_MEMORY = Path("/dev/shm")
WIDTH, HEIGHT = 160, 120
#: What a call raises when the engine has died, the first time and later.
DIED = (vizdoom.ViZDoomErrorException, vizdoom.ViZDoomUnexpectedExitException, vizdoom.ViZDoomIsNotRunningException)
_BUTTONS = (
    vizdoom.Button.TURN_LEFT_RIGHT_DELTA,
    vizdoom.Button.MOVE_LEFT_RIGHT_DELTA,
    vizdoom.Button.MOVE_FORWARD_BACKWARD_DELTA,
    vizdoom.Button.ATTACK,
)

cv2.setNumThreads(1)


def launch(root: Path) -> Path:
    """The program that becomes an engine, made below the folder ``root`` once; DataError if it cannot run."""
    command = shlex.join([sys.executable, "-IS", str(Path(launcher.__file__).resolve()), vizdoom.exe_path])
    script = f'#!/bin/sh\nexec {command} "$@"\n'
    key = hashlib.sha256(script.encode()).hexdigest()[:12]

    def build(empty: Path) -> None:
        (empty / "launch").write_text(script, encoding="utf-8")
        (empty / "launch").chmod(0o755)

    program = (once(root / f"doom-launcher-{key}", ("launch",), build) / "launch").resolve()
    if not os.access(program, os.X_OK):  # the engine would end this process
        raise DataError(f"{program} cannot be executed: chmod +x it, or keep the data where programs may run")
    return program


class Game:
    """A game of the scenario in a file; ``begin`` comes first. root: folder for what is made once."""

    def __init__(self, scenario: Path, root: Path, moves: Sequence[Move], counters: Sequence[str]) -> None:
        self._moves = [[move.turn, move.strafe, move.forward, move.fire] for move in moves]
        self._counters = [getattr(vizdoom.GameVariable, name) for name in counters]
        self._root = root
        self._game = configured(scenario, root)
        start(self._game, root)

    def begin(self, name: str, seed: int) -> None:
        """A new episode on the map ``name``; equal maps, seeds and actions give equal episodes, whatever was before.

        An engine that died is started again.
        """
        try:
            self._begin(name, seed)
        except DIED:
            self._game.close()
            start(self._game, self._root)
            self._begin(name, seed)

    def act(self, move: int) -> bool:
        """Hold a move for FRAME_SKIP frames; whether the player has died."""
        self._advance(move, seen=True)
        return bool(self._game.is_episode_finished())

    def replay(self, moves: Sequence[int]) -> None:
        """The same as acting so; only the last frame is drawn."""
        for left, move in enumerate(moves, start=1 - len(moves)):
            self._advance(move, seen=left == 0)

    def counters(self) -> NDArray[np.float64]:
        """What the engine counts now, in the order of the names."""
        return np.array([self._game.get_game_variable(counter) for counter in self._counters])

    def screen(self) -> NDArray[np.uint8]:
        """What the player sees, uint8 [height, width, 3]."""
        return np.asarray(self._game.get_state().screen_buffer)

    def close(self) -> None:
        self._game.close()

    def _begin(self, name: str, seed: int) -> None:
        self._game.set_doom_map(name)
        self._game.set_seed(seed)
        self._game.new_episode()

    def _advance(self, move: int, seen: bool) -> None:
        self._game.set_action(self._moves[move])
        self._game.advance_action(FRAME_SKIP, seen)


def start(game: vizdoom.DoomGame, root: Path) -> None:
    """Start the engine, and remove the names of what the two share at once: nobody else needs to find it."""
    scratch = Scratch(root / "doom-starting", _nameless)
    try:
        os.environ.update({launcher.DRIVER: str(os.getpid()), launcher.FOLDER: str(scratch.path)})
        game.init()
        _nameless(scratch.path)
    finally:
        scratch.close()


def _nameless(folder: Path) -> None:
    """Remove the names of the shared memory of the engine that was launched in ``folder``."""
    note = folder / launcher.NOTE
    if note.exists():
        for path in SHARED_MEMORY.glob(f"ViZDoom*{note.read_text(encoding='ascii')}"):
            path.unlink(missing_ok=True)


def scaled(screen: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A screen as an observation, uint8 [3, size, size]: each pixel the mean of those it covers.

    Halved first where nothing is lost by it, which is ten times as fast as means over parts of pixels.
    """
    height, width = screen.shape[0] // 2, screen.shape[1] // 2
    if size <= height:
        screen = np.asarray(cv2.resize(screen, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(screen, (size, size), interpolation=cv2.INTER_AREA), np.uint8).transpose(2, 0, 1)


def configured(scenario: Path, root: Path) -> vizdoom.DoomGame:
    """A game whose engine is not started yet."""
    game = vizdoom.DoomGame()
    game.set_vizdoom_path(str(launch(root)))
    game.set_doom_scenario_path(str(scenario.resolve()))
    game.set_doom_config_path(os.devnull)  # engines would write to one file and read what another left there
    game.set_doom_skill(3)
    game.set_mode(vizdoom.Mode.PLAYER)
    game.set_seed(0)
    game.set_window_visible(False)
    game.set_sound_enabled(False)
    game.set_screen_resolution(vizdoom.ScreenResolution.RES_160X120)
    game.set_screen_format(vizdoom.ScreenFormat.RGB24)
    game.set_available_buttons(list(_BUTTONS))
    game.set_available_game_variables([])
    # The weapon's bob is a variable of the engine that survives episodes: frames would depend on what was before.
    for switch in (
        game.set_render_weapon,
        game.set_render_hud,
        game.set_render_crosshair,
        game.set_render_messages,
        game.set_render_screen_flashes,
    ):
        switch(False)
    return game
