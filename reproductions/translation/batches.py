"""Batches of about equally long pairs, as many as fit a number of tokens; each follows from the number of the step alone.

Pairs are sorted by length, equal ones in random order, and cut into batches; the batches come in random order. Where
the cuts are depends on the lengths alone, so every epoch has as many batches, and step s is batch s mod n of epoch s div
n: a member that resumes in the middle of an epoch stores nothing but its steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pbt_core import Stream
from reproductions.translation.corpus import Pairs
from reproductions.translation.ids import EOS, PAD
from reproductions.translation.padding import Batch

Indices = NDArray[np.intp]


def cuts(source: NDArray[np.int64], target: NDArray[np.int64], max_tokens: int) -> Indices:
    """Where batches of sorted pairs begin, after the first: for ``np.split``.

    source, target: lengths [N] in tokens, eos included. A batch costs its number of pairs times its longest side, at
    most ``max_tokens``; ValueError if a pair alone costs more.
    """
    longest = np.maximum(source, target)
    if longest.max() > max_tokens:
        pair = int(longest.argmax())
        raise ValueError(
            f"max_tokens = {max_tokens}: pair {pair} has a side of {longest[pair]} tokens, so at least that"
        )
    begins, begin, widest = [], 0, 0
    for position, length in enumerate(longest[np.lexsort((target, source))].tolist()):
        widest = max(widest, length)
        if (position - begin + 1) * widest > max_tokens:
            begins.append(position)
            begin, widest = position, length
    return np.array(begins, np.intp)


def shuffled(
    source: NDArray[np.int64], target: NDArray[np.int64], begins: Indices, rng: np.random.Generator
) -> list[Indices]:
    """One epoch, whose batches begin at ``begins``: every pair in exactly one of the index arrays."""
    order = np.lexsort((rng.random(len(source)), target, source))
    parts = np.split(order, begins)
    return [parts[index] for index in rng.permutation(len(parts))]


def batch(pairs: Pairs, indices: Indices) -> Batch:
    """The pairs ``indices`` [B], padded; the decoder is given the target moved by one, eos in front, as in fairseq."""
    target = pairs.target.padded(indices, PAD)
    previous = np.full_like(target, EOS)
    previous[:, 1:] = target[:, :-1]
    previous[:, 1:][target[:, :-1] == EOS] = PAD  # eos stands in front, not in the middle of what comes before
    return Batch.of(pairs.source.padded(indices, PAD), previous, target)


class Epochs:
    """Endless batches of ``pairs``: each is determined by the stream and the step."""

    def __init__(self, pairs: Pairs, max_tokens: int) -> None:
        """Arguments as of ``cuts``, and its ValueError."""
        self._pairs = pairs
        self._lengths = pairs.source.lengths, pairs.target.lengths
        self._begins = cuts(*self._lengths, max_tokens)
        self._latest: tuple[tuple[Stream, int], list[Indices]] | None = None

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return len(self._begins) + 1

    def at(self, step: int, seed: Stream) -> Batch:
        """The batch of step 0, 1, 2, ...: depends on nothing but ``seed`` and ``step``."""
        epoch, position = divmod(step, self.steps)
        if self._latest is None or self._latest[0] != (seed, epoch):
            order = shuffled(*self._lengths, self._begins, seed.child("epoch", epoch).generator())
            self._latest = (seed, epoch), order
        return batch(self._pairs, self._latest[1][position])
