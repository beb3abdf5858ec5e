"""Random numbers of one game: SplitMix64 over the game's seed and a counter, both of which are part of its state."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reproductions.starcraft.simulation.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_ONE = np.uint64(1)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_DROP = np.uint64(11)


@compiled
def _mix(z: Any) -> Any:
    z = (z ^ (z >> _SHIFTS[0])) * _FIRST
    z = (z ^ (z >> _SHIFTS[1])) * _SECOND
    return z ^ (z >> _SHIFTS[2])


def seeds(seed: int, batch: int) -> NDArray[np.uint64]:
    """A seed for each game, [batch]: game i has the same one in a batch of any size."""
    return np.array(
        [np.random.SeedSequence(seed, spawn_key=(game,)).generate_state(1, np.uint64)[0] for game in range(batch)],
        np.uint64,
    )


@compiled
def uniform(game: Any) -> float:
    """The game's next number, in [0, 1)."""
    game.counter += _ONE
    return float(_mix(game.seed + game.counter * _GOLDEN) >> _DROP) / 9007199254740992.0


@compiled
def between(game: Any, least: float, most: float) -> float:
    """Uniform in [least, most)."""
    return least + (most - least) * uniform(game)
