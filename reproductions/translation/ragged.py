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


def files(name: str) -> tuple[str, ...]:
    """The names of the files that ``save`` writes."""
    return f"{name}.flat.npy", f"{name}.lengths.npy"


def save(folder: Path, name: str, sequences: Ragged) -> None:
    """Write two files ``name``.*.npy into ``folder``."""
    flat_file, lengths_file = (folder / file for file in files(name))
    np.save(flat_file, sequences.flat)
    np.save(lengths_file, sequences.lengths)


def load(folder: Path, name: str) -> Ragged:
    """What ``save`` wrote, mapped into memory instead of read."""
    flat_file, lengths_file = (folder / file for file in files(name))
    flat, lengths = np.load(flat_file, mmap_mode="r"), np.load(lengths_file)
    return Ragged(flat, lengths, lengths.cumsum())
