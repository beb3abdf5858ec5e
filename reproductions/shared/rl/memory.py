"""A replay memory: the last steps of each environment, from which auxiliary losses draw sequences.

It is experience, and so the member's own: a clone copies weights and goes on with its own memory, as with its own games.
What is kept is what the agent saw, by name and in its own type of numbers, so that pictures take a byte a pixel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reproductions.shared.rl.environments import ActionArrays, Actions, Array, Arrays

_OBSERVATIONS, _ACTIONS = "observations.", "actions."


@dataclass(frozen=True)
class Sequences:
    """``N`` sequences of ``T`` steps, each of one environment.

    observations: [T + 1, N, ...], the last after the last step. actions: int64 [T, N], or one such tensor a part. rewards:
    float32 [T, N]. ended: bool [T, N]. fresh: bool [T + 1, N], where recurrent state begins anew: at the beginning, and
    after the end of an episode (``restarted``). With these, returns and states never reach across an end.
    """

    observations: dict[str, Tensor]
    actions: Any
    rewards: Tensor
    ended: Tensor
    fresh: Tensor


@dataclass(frozen=True)
class Windows:
    """``N`` windows of ``T`` observations within an episode, [T, N, ...], and the reward that followed, float32 [N]."""

    observations: dict[str, Tensor]
    rewards: Tensor


class Memory:
    """The last ``capacity`` steps of each of ``batch`` environments.

    A row is a step of all: ``observe`` what is seen, then ``add`` what was done and what came of it. ``filled``: rows held.
    """

    def __init__(self, capacity: int, batch: int, observations: Mapping[str, Array], actions: Actions) -> None:
        if capacity < 1:
            raise ValueError(f"capacity = {capacity} must be at least 1")
        self.capacity, self.batch, self.filled = capacity, batch, 0
        self._head = 0
        self._arrays: Arrays = {
            _OBSERVATIONS + name: array.zeros(capacity, batch) for name, array in observations.items()
        }
        self._arrays |= _by_part(actions.zeros(capacity, batch))
        self._arrays["rewards"] = np.zeros((capacity, batch), np.float32)
        self._arrays["ended"] = np.zeros((capacity, batch), np.bool_)
        #: Rows after which all episodes were given up, though none had ended.
        self._arrays["cut"] = np.zeros(capacity, np.bool_)

    def observe(self, observations: Mapping[str, NDArray[Any]]) -> None:
        """Begin a row. The arrays, [batch, ...], are copied."""
        for name, values in observations.items():
            self._arrays[_OBSERVATIONS + name][self._head] = values

    def add(self, actions: ActionArrays, rewards: NDArray[Any], ended: NDArray[np.bool_]) -> None:
        """Complete the row that ``observe`` began: [batch] each."""
        row = {**_by_part(actions), "rewards": rewards, "ended": ended, "cut": False}
        for name, values in row.items():
            self._arrays[name][self._head] = values
        self._head = (self._head + 1) % self.capacity
        self.filled = min(self.filled + 1, self.capacity)

    def cut(self) -> None:
        """What is seen next does not follow from the last row: new episodes begin in all environments."""
        if self.filled:
            self._arrays["cut"][self._head - 1] = True

    def forget(self) -> None:
        """Empty it."""
        self.filled = self._head = 0

    def holds(self, length: int) -> bool:
        """Whether there are sequences and windows of ``length`` steps to draw."""
        return len(self._starts(length)) > 0 and len(self._ends(length)[0]) > 0

    def sequences(self, n: int, length: int, rng: np.random.Generator, device: torch.device) -> Sequences:
        """``n`` sequences of ``length`` steps, any of those held with equal probability; ValueError if there is none."""
        starts = self._starts(length)
        if not len(starts):
            raise ValueError(f"the memory holds {self.filled} steps and no sequence of {length}")
        steps = starts[rng.integers(len(starts), size=n)] + np.arange(length + 1)[:, None]
        where = self._rows(steps), rng.integers(self.batch, size=n)
        step = where[0][:-1], where[1]
        ended = self._arrays["ended"][step]
        actions = {
            name.removeprefix(_ACTIONS): _tensor(array[step], device)
            for name, array in self._arrays.items()
            if name.startswith(_ACTIONS)
        }
        return Sequences(
            self._seen(where, device),
            actions.get("", actions),
            _tensor(self._arrays["rewards"][step], device),
            _tensor(ended, device),
            _tensor(np.concatenate([np.ones((1, n), np.bool_), ended]), device),
        )

    def windows(self, n: int, length: int, rng: np.random.Generator, device: torch.device) -> Windows:
        """``n`` windows of ``length`` observations; after half of them, as far as there are any, a reward followed.

        For reward prediction (Jaderberg et al., 2016, section 3.2), which has rewards of 0 in half of its examples however
        rare others are. If ``n`` is odd, a coin decides. ValueError if the memory holds no window of that length.
        """
        ages, columns = self._ends(length)
        if not len(ages):
            raise ValueError(f"the memory holds {self.filled} steps and no window of {length}")
        rewarding = self._arrays["rewards"][self._rows(ages), columns] != 0
        kinds = [kind for kind in (np.flatnonzero(rewarding), np.flatnonzero(~rewarding)) if len(kind)]
        half = n // 2 + int(n % 2 and rng.integers(2))
        counts = (half, n - half) if len(kinds) == 2 else (n,)
        chosen = np.concatenate(
            [kind[rng.integers(len(kind), size=count)] for kind, count in zip(kinds, counts, strict=True)]
        )
        steps = ages[chosen] + np.arange(1 - length, 1)[:, None]
        where = self._rows(steps), columns[chosen]
        return Windows(self._seen(where, device), _tensor(self._arrays["rewards"][where[0][-1], where[1]], device))

    def save(self) -> Arrays:
        """The rows held, the oldest first, by name: equal contents give equal arrays."""
        rows = self._rows(np.arange(self.filled))
        return {name: array[rows] for name, array in self._arrays.items()}

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Hold what ``save`` gave, and nothing else."""
        self.filled = len(arrays["cut"])
        self._head = self.filled % self.capacity
        for name, array in self._arrays.items():
            array[: self.filled] = arrays[name]

    def _rows(self, ages: NDArray[Any]) -> NDArray[Any]:
        """Where steps lie by their age, 0 the oldest."""
        return (self._head - self.filled + ages) % self.capacity

    def _starts(self, length: int) -> NDArray[Any]:
        """Ages of steps with ``length`` more after them, none of which was cut off from the next."""
        cut = self._arrays["cut"][self._rows(np.arange(self.filled))]
        before = np.concatenate([[0], np.cumsum(cut)])
        last = self.filled - length
        return np.flatnonzero(before[length : length + max(last, 0)] == before[: max(last, 0)])

    def _ends(self, length: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Ages and environments of the last observations of windows that lie within an episode."""
        rows = self._rows(np.arange(self.filled))
        parted = self._arrays["ended"][rows] | self._arrays["cut"][rows][:, None]
        within = np.ones((max(self.filled - length + 1, 0), self.batch), np.bool_)
        for k in range(length - 1):
            within &= ~parted[k : k + len(within)]
        ages, columns = np.nonzero(within)
        return ages + length - 1, columns

    def _seen(self, where: tuple[NDArray[Any], NDArray[Any]], device: torch.device) -> dict[str, Tensor]:
        return {
            name.removeprefix(_OBSERVATIONS): _tensor(array[where], device)
            for name, array in self._arrays.items()
            if name.startswith(_OBSERVATIONS)
        }


def _by_part(actions: ActionArrays) -> Arrays:
    if isinstance(actions, dict):
        return {_ACTIONS + name: values for name, values in actions.items()}
    return {_ACTIONS: actions}


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)
