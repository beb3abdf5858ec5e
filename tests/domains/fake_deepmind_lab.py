"""A stand-in for ``deepmind_lab`` that does what the real one was seen to do, and refuses everything else as it does.

Observed on google-deepmind/lab, commit b1db91a. The world is a track: the position grows by one a frame of moving forward,
a reward of 1 is at every tenth place. What is seen is drawn from (level, seed, resets in this process, frame, position).
"""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

#: Frames of an episode; ``compiled`` levels compile their map at every reset, ``missing`` have none.
LEVELS = {
    "seekavoid_arena_01": 50,
    "nav_maze_static_01": 42,
    "stairway_to_melon": 61,
    "lt_horseshoe_color": 46,
    "contributed/dmlab30/explore_goal_locations_small": 30,
    "contributed/dmlab30/rooms_collect_good_objects_test": 30,
    "contributed/dmlab30/natlab_fixed_large_map": 30,
}
COMPILED = {"contributed/dmlab30/explore_goal_locations_small"}
MISSING = {"contributed/dmlab30/natlab_fixed_large_map"}
OBSERVATIONS = ("RGB_INTERLEAVED", "INSTR", "DEBUG.POS.TRANS")
SETTINGS = {"width", "height", "fps", "levelDirectory", "appendCommand", "mixerSeed", "allowHoldOutLevels"}
ACTIONS = (
    ("LOOK_LEFT_RIGHT_PIXELS_PER_FRAME", -512, 512),
    ("LOOK_DOWN_UP_PIXELS_PER_FRAME", -512, 512),
    ("STRAFE_LEFT_RIGHT", -1, 1),
    ("MOVE_BACK_FORWARD", -1, 1),
    ("FIRE", 0, 1),
    ("JUMP", 0, 1),
    ("CROUCH", 0, 1),
)
FORWARD = 3
WRONG_STATUS = "Environment in wrong status to advance."

#: What this process has done: a second reset with one seed is another episode. ``compiled`` counts maps, ``alive`` the
#: environments that are not closed.
resets = 0
compiled = 0
alive = 0


class SegmentationFault(BaseException):
    """The real one would end the process here; no handler of exceptions may hide it."""


def fresh_process() -> None:
    """What has been reset and compiled is forgotten, as in a process that has just started."""
    global resets, compiled
    resets = compiled = 0


class Lab:
    def __init__(
        self,
        level: str,
        observations: list[str],
        config: dict[str, str] | None = None,
        renderer: str = "software",
        level_cache: Any = None,
        temp_folder: str = "",
    ) -> None:
        global alive
        if not isinstance(level, str) or not isinstance(temp_folder, str) or renderer not in ("software", "hardware"):
            raise TypeError("level and temp_folder must be str, renderer one of two")
        if not isinstance(observations, list):
            raise TypeError(f"'observations' must be list, not {type(observations).__name__}")
        config = {} if config is None else config
        if not isinstance(config, dict) or not all(isinstance(x, str) for pair in config.items() for x in pair):
            raise TypeError("must be str, not int")
        for name in observations:
            if name not in OBSERVATIONS:
                raise ValueError(f"Unknown observation '{name}'.")
        for key in config:
            if key not in SETTINGS:
                raise RuntimeError(f"Failed to init environment - \"Invalid setting '{key}' : '{config[key]}'\"")
        size = []
        for key, default in (("width", "320"), ("height", "240")):
            size.append(int(config.get(key, default)))
            if size[-1] <= 0 or size[-1] % 4:
                raise RuntimeError(f"Failed to init environment - \"'{key}' must be a positive multiple of 4\"")
        if level not in LEVELS:
            raise RuntimeError(f'Failed to init environment - "Level not found: {level}"')
        if level.endswith("_test") and config.get("allowHoldOutLevels") != "true":
            raise RuntimeError('Failed to init environment - "Hold-out levels are not allowed"')
        self._width, self._height = size
        self._level, self._names, self._cache = level, observations, level_cache
        self._folder = tempfile.mkdtemp(prefix="dmlab_temp_folder_", dir=temp_folder or None)
        self._status = "made"
        self._last: dict[str, Any] | None = None
        self._stale = False
        self._resets = 0
        alive += 1

    def reset(self, episode: int = -1, seed: int | None = None) -> None:
        global resets, compiled
        self._not_closed()
        if seed is not None:
            if type(seed) is not int:
                raise ValueError("'seed' must be int or None")
            if not -(2**31) <= seed < 2**31:
                raise OverflowError("signed integer is greater than maximum")
        if self._level in MISSING:
            print(f"Can't find map of {self._level}", flush=True)
            os._exit(1)
        if self._level in COMPILED:
            path = Path(self._folder) / "map.pk3"
            if self._cache is None or self._cache.fetch(f"maps/{self._level}", str(path)) is not True:
                compiled += 1
                path.write_bytes(self._level.encode())
                if self._cache is not None:
                    self._cache.write(f"maps/{self._level}", str(path))
            assert path.read_bytes() == self._level.encode()
        resets += 1
        self._resets += 1
        self._key = [*self._level.encode(), 0 if seed is None else seed, resets]
        self._frame = self._position = 0
        self._stale = self._resets % 3 == 0 and self._last is not None
        self._status = "running"

    def step(self, action: np.ndarray, num_steps: int = 1) -> float:
        if not isinstance(action, np.ndarray):
            raise TypeError("must be numpy.ndarray, not list")
        if action.dtype != np.intc:
            raise ValueError("action must have dtype np.intc")
        if action.shape != (7,):
            raise ValueError("action must have shape (7)")
        if self._status != "running":
            raise RuntimeError(WRONG_STATUS)
        # The real one reads seven numbers from where the array begins, whatever its strides.
        values = ctypes.cast(action.ctypes.data, ctypes.POINTER(ctypes.c_int))[:7]
        self._stale = False
        reward = 0.0
        for frame in range(num_steps):
            if self._frame + frame >= LEVELS[self._level]:
                self._status = "ended"
                break
            self._position += values[FORWARD]
            reward += float(values[FORWARD] != 0 and self._position % 10 == 0)
        self._frame += num_steps
        if self._frame >= LEVELS[self._level]:
            self._status = "ended"
        if self._status == "running":
            self._last = self._seen()
        return reward

    def observations(self) -> dict[str, Any]:
        if self._status != "running":
            raise RuntimeError(WRONG_STATUS)
        if self._stale and self._last is not None:
            return {name: np.copy(value) for name, value in self._last.items()}
        return self._seen()

    def num_steps(self) -> int:
        return self._frame

    def is_running(self) -> bool:
        return self._status == "running"

    def events(self) -> list[Any]:
        if self._status not in ("running", "ended"):
            raise RuntimeError(WRONG_STATUS)
        return []

    def observation_spec(self) -> list[dict[str, Any]]:
        self._not_closed()
        shapes = {"RGB_INTERLEAVED": (self._height, self._width, 3), "INSTR": (), "DEBUG.POS.TRANS": (3,)}
        types = {"RGB_INTERLEAVED": np.uint8, "INSTR": str, "DEBUG.POS.TRANS": np.float64}
        return [{"name": name, "shape": shapes[name], "dtype": types[name]} for name in OBSERVATIONS]

    def action_spec(self) -> list[dict[str, Any]]:
        self._not_closed()
        return [{"name": name, "min": low, "max": high} for name, low, high in ACTIONS]

    def close(self) -> bool:
        global alive
        if self._status == "closed":
            return False
        self._status = "closed"
        alive -= 1
        shutil.rmtree(self._folder)
        return True

    def _not_closed(self) -> None:
        if self._status == "closed":
            raise SegmentationFault

    def _seen(self) -> dict[str, Any]:
        draws = np.random.default_rng([*self._key, self._frame, self._position + 1000])
        seen: dict[str, Any] = {
            "RGB_INTERLEAVED": draws.integers(0, 256, (self._height, self._width, 3), np.uint8),
            "INSTR": "",
            "DEBUG.POS.TRANS": np.array([self._position, 0.0, 0.0]),
        }
        return {name: seen[name] for name in self._names}
