"""A batch of environments of the real DeepMind Lab, which its users build themselves: it is in no package index.

What it does and refuses was found out by running it (google-deepmind/lab, b1db91a); ``tests/domains/fake_deepmind_lab.py``
implements exactly that. It cannot save what runs, so members begin new episodes at each interval, in a process of
their own (``lab_process``); ``EXACT`` in ``levels_of_the_paper`` says which levels are repeatable at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from reproductions.dmlab.level_cache import LevelCache
from reproductions.dmlab.levels_of_the_paper import script
from reproductions.dmlab.scratch import Scratch
from reproductions.dmlab.spaces import pixels
from reproductions.shared.rl.environments import Discrete

#: Frames (60 a second) for which an action is held.
ACTION_REPEAT = 4
PICTURE = "RGB_INTERLEAVED"

#: In the order of DeepMind Lab's action_spec: look left-right and down-up (pixels a frame), strafe, move, fire, jump, crouch.
#: 9: of "IMPALA" (Espeholt et al., 2018), as released (google-deepmind/scalable_agent, environments.py). 15: with small and
#: large turns, of "PopArt" and "R2D2" as danijar/dreamerv3 (embodied/envs/dmlab.py) gives it; their papers were not at hand.
ACTION_SETS: Mapping[int, tuple[tuple[int, ...], ...]] = {
    9: (
        (0, 0, 0, 1, 0, 0, 0),
        (0, 0, 0, -1, 0, 0, 0),
        (0, 0, -1, 0, 0, 0, 0),
        (0, 0, 1, 0, 0, 0, 0),
        (-20, 0, 0, 0, 0, 0, 0),
        (20, 0, 0, 0, 0, 0, 0),
        (-20, 0, 0, 1, 0, 0, 0),
        (20, 0, 0, 1, 0, 0, 0),
        (0, 0, 0, 0, 1, 0, 0),
    ),
    15: (
        (0, 0, 0, 1, 0, 0, 0),
        (0, 0, 0, -1, 0, 0, 0),
        (0, 0, -1, 0, 0, 0, 0),
        (0, 0, 1, 0, 0, 0, 0),
        (-10, 0, 0, 0, 0, 0, 0),
        (10, 0, 0, 0, 0, 0, 0),
        (-60, 0, 0, 0, 0, 0, 0),
        (60, 0, 0, 0, 0, 0, 0),
        (0, 10, 0, 0, 0, 0, 0),
        (0, -10, 0, 0, 0, 0, 0),
        (-10, 0, 0, 1, 0, 0, 0),
        (10, 0, 0, 1, 0, 0, 0),
        (-60, 0, 0, 1, 0, 0, 0),
        (60, 0, 0, 1, 0, 0, 0),
        (0, 0, 0, 0, 1, 0, 0),
    ),
}
_NOTHING = np.zeros(7, np.intc)


class DeepMindLab:
    """``batch`` environments of one level; see ``reproductions.shared.rl.environments`` for the contract (``Environments``).

    level: by the paper's name, or a script of DeepMind Lab. size: height and width of an observation in pixels. folder: for
    temporary files while it runs. level_cache: folder of compiled maps, shared by all. actions: a key of ``ACTION_SETS``.
    config: further settings of DeepMind Lab. ValueError if DeepMind Lab does not have the level or refuses a setting;
    ModuleNotFoundError without DeepMind Lab. A map that it lacks ends the process: see ``lab_process``.
    """

    def __init__(
        self,
        level: str,
        batch: int,
        size: int,
        folder: Path,
        level_cache: Path | None = None,
        actions: int = 9,
        renderer: Literal["software", "hardware"] = "software",
        config: Mapping[str, str] | None = None,
    ) -> None:
        if actions not in ACTION_SETS:
            raise ValueError(f"actions = {actions} must be one of {', '.join(map(str, ACTION_SETS))}")
        name, asked = script(level), settings(level, size, config)
        import deepmind_lab

        self.level, self.batch, self.size = level, batch, size
        self.observations = pixels(size, size)
        self.actions = Discrete(len(ACTION_SETS[actions]))
        self._codes = np.array(ACTION_SETS[actions], np.intc)
        self._frames = np.zeros((batch, 3, size, size), np.uint8)
        self._episodes = np.zeros(batch, np.int64)
        self._seed = 0
        cache = None if level_cache is None else LevelCache(level_cache)
        self._labs: list[Any] = []
        self._scratch = Scratch(folder)
        try:
            for _ in range(batch):
                self._labs.append(
                    deepmind_lab.Lab(
                        name,
                        [PICTURE],
                        config=asked,
                        renderer=renderer,
                        level_cache=cache,
                        temp_folder=str(self._scratch.path),
                    )
                )
        except RuntimeError as error:
            self.close()
            raise ValueError(f"level = {level!r} is refused by DeepMind Lab: {error}") from None

    def begin(self, seed: int) -> None:
        """New episodes in all environments; every later episode's beginning follows from ``seed`` too."""
        self._seed = seed
        self._episodes[:] = 0
        for index in range(self.batch):
            self._reset(index)

    def observe(self) -> dict[str, NDArray[Any]]:
        """``pixels``, uint8 [batch, 3, size, size]; valid until the next step."""
        return {"pixels": self._frames}

    def step(self, actions: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Hold each action for four frames, or until the episode ends: rewards, float64 [batch], and ends, bool [batch].

        DeepMind Lab shows nothing at the end of an episode: what is seen next is the beginning of the next one.
        """
        rewards, ended = np.zeros(self.batch), np.zeros(self.batch, np.bool_)
        # A strided row would be misread without an error.
        codes = np.ascontiguousarray(self._codes[actions])
        for index, (lab, code) in enumerate(zip(self._running(), codes, strict=True)):
            rewards[index] = lab.step(code, num_steps=ACTION_REPEAT)
            ended[index] = not lab.is_running()
            if ended[index]:
                self._episodes[index] += 1
                self._reset(index)
            else:
                self._see(index)
        return rewards, ended

    def close(self) -> None:
        """End the environments and remove their temporary files; nothing else can be done afterwards."""
        for lab in self._labs:
            lab.close()
        self._labs = []
        self._scratch.close()

    def _running(self) -> list[Any]:
        """The environments; RuntimeError after ``close``, where DeepMind Lab would end the process."""
        if not self._labs:
            raise RuntimeError("these environments are closed")
        return self._labs

    def _reset(self, index: int) -> None:
        """Begin the episode of one environment that its number names."""
        lab = self._running()[index]
        draws = np.random.default_rng([self._seed, index, int(self._episodes[index])])
        lab.reset(seed=int(draws.integers(1, 2**31 - 1)))  # an integer of numpy's would be refused
        # After some resets the first picture is the last one of the episode before; a frame later it is right.
        lab.step(_NOTHING, num_steps=1)
        self._see(index)

    def _see(self, index: int) -> None:
        self._frames[index] = self._labs[index].observations()[PICTURE].transpose(2, 0, 1)


def settings(level: str, size: int, config: Mapping[str, str] | None) -> dict[str, str]:
    """What DeepMind Lab takes as ``config``, strings alone; ValueError for a size that it would refuse."""
    if size <= 0 or size % 4:
        raise ValueError(f"size = {size} must be a positive multiple of 4, as DeepMind Lab wants it")
    settings = {"width": str(size), "height": str(size)}
    if level.endswith("_test"):
        settings["allowHoldOutLevels"] = "true"
    return settings | {key: str(value) for key, value in (config or {}).items()}
