"""Actions that are refused by name before anything happens, the same for the simulation and for the game."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.shared.rl.environments import Composite
from reproductions.starcraft.specification import ARGUMENTS

#: Columns of a checked row: the function, then its arguments.
COLUMNS = ("function", *ARGUMENTS)


@dataclass(frozen=True)
class Checked:
    """The check for one map. functions: what can be called; space: the parts of an action; batch: how many games."""

    functions: tuple[str, ...]
    space: Composite
    batch: int

    def rows(self, actions: Mapping[str, Any], available: NDArray[np.bool_]) -> NDArray[np.int64]:
        """int64 [batch, 1 + arguments]: the place of each function in ``functions``, then the arguments that it takes.

        available: bool [batch, functions]. Arguments that a function does not take are 0 in its row. ValueError if a part is
        missing, of another shape, out of its range where it counts, or a function is not available.
        """
        if set(actions) != set(self.space.parts):
            raise ValueError(f"the parts of an action must be {list(self.space.parts)}, not {list(actions)}")
        rows = np.zeros((self.batch, len(COLUMNS)), np.int64)
        for name, part in self.space.parts.items():
            values = np.asarray(actions[name])
            if values.shape != (self.batch,) or values.dtype.kind not in "iu":
                raise ValueError(f"{name} must be {self.batch} integers, not {values.dtype} {values.shape}")
            column = COLUMNS.index(name)
            counts = self._counts(name, rows[:, 0])
            wrong = counts & ((values < 0) | (values >= part.n))
            if wrong.any():
                game = int(wrong.argmax())
                raise ValueError(f"game {game}: {name} = {values[game]} must be from 0 to {part.n - 1}")
            rows[:, column] = np.where(counts, values, 0)
        missing = ~available[np.arange(self.batch), rows[:, 0]]
        if missing.any():
            game = int(missing.argmax())
            raise ValueError(f"game {game}: the function {self.functions[rows[game, 0]]} is not available now")
        return rows

    def _counts(self, name: str, functions: NDArray[np.int64]) -> NDArray[np.bool_]:
        if name == "function":
            return np.ones(self.batch, np.bool_)
        takes = np.array([name in arguments for arguments in self.space.arguments])
        return takes[functions]
