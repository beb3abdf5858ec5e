"""Many sequences of numbers in one array: no object a sentence, and shared by processes through the page cache."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ragged:
    """Sequence i is ``flat[ends[i] - lengths[i] : ends[i]]``; flat int32 [sum of lengths], lengths int64 [N]."""

    flat: NDArray[np.int32]
    lengths: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> NDArray[np.int32]:
        return self.flat[self.ends[index] - self.lengths[index] : self.ends[index]]

    def padded(self, indices: NDArray[np.intp], pad: int) -> NDArray[np.int64]:
        """The sequences ``indices`` [B], filled up on the right with ``pad``: int64 [B, longest of them]."""
        lengths = self.lengths[indices]
        columns = np.arange(lengths.max())
        inside = columns < lengths[:, None]
        filled = np.full(inside.shape, pad, np.int64)
        filled[inside] = self.flat[((self.ends[indices] - lengths)[:, None] + columns)[inside]]
        return filled

    def kept(self, mask: NDArray[np.bool_]) -> Ragged:
        """The sequences where ``mask`` [N] is true."""
        lengths = self.lengths[mask]
        return Ragged(self.flat[np.repeat(mask, self.lengths)], lengths, lengths.cumsum())


def ragged(sequences: Iterable[NDArray[np.int32]]) -> Ragged:
    """Lay ``sequences`` end to end, one at a time, so that a generator of millions needs little memory."""
    flat, sizes = bytearray(), array("q")
    for sequence in sequences:
        flat += sequence.astype(np.int32, copy=False).tobytes()
        sizes.append(len(sequence))
    lengths = np.array(sizes, np.int64)
    return Ragged(np.frombuffer(flat, np.int32), lengths, lengths.cumsum())


def save(folder: Path, name: str, sequences: Ragged) -> None:
    """Write two files ``name``.*.npy into ``folder``."""
    np.save(folder / f"{name}.flat.npy", sequences.flat)
    np.save(folder / f"{name}.lengths.npy", sequences.lengths)


def load(folder: Path, name: str) -> Ragged:
    """What ``save`` wrote, mapped into memory instead of read."""
    flat = np.load(folder / f"{name}.flat.npy", mmap_mode="r")
    lengths = np.load(folder / f"{name}.lengths.npy")
    return Ragged(flat, lengths, lengths.cumsum())
