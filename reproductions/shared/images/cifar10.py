"""CIFAR-10 (Krizhevsky, 2009): the publisher's binary archive, checked and read in place, nothing unpickled or unpacked."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reproductions.shared import assets
from reproductions.shared.assets import DataError

ARCHIVE = "cifar-10-binary.tar.gz"
URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
SIZE = 170_052_171
SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
TRAIN, TEST = tuple(f"data_batch_{number}.bin" for number in range(1, 6)), ("test_batch.bin",)
COUNT = 10_000  # images of a file: a label, then red, green and blue, each 32 rows of 32
_RECORD = 1 + 3 * 32 * 32


def fetch(root: Path) -> None:
    """Make sure that ``root`` holds the archive; DataError says what to do if it cannot be obtained."""
    archive = root / ARCHIVE
    if not archive.exists():
        with assets.workspace(archive) as temporary:
            if not archive.exists():  # another process may have fetched it while this one waited
                try:
                    os.replace(assets.download(URL, temporary / ARCHIVE, SIZE, SHA256), archive)
                except (OSError, DataError) as error:
                    raise DataError(
                        f"CIFAR-10 is not in {root} and cannot be downloaded ({error}). Remedy: with internet, "
                        f"get {URL} and put it into {root}"
                    ) from None
    assets.verified(archive, SHA256)


def read(root: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Images uint8 [N, 3, 32, 32] in 0..255 and labels uint8 [N] in 0..9: N is 50,000 for training, 10,000 for the test."""
    with tarfile.open(root / ARCHIVE) as archive:
        records = {Path(member.name).name: _records(archive, member) for member in archive if member.isfile()
                 and member.name in {f"{FOLDER}/{name}" for name in (*TRAIN, *TEST)}}  # fmt: skip
    train, test = (np.concatenate([records[name] for name in names]) for names in (TRAIN, TEST))
    return _images(train), train[:, 0], _images(test), test[:, 0]


def _records(archive: tarfile.TarFile, member: tarfile.TarInfo) -> NDArray[np.uint8]:
    file = archive.extractfile(member)
    assert file is not None  # it is a file
    return np.frombuffer(bytearray(file.read(COUNT * _RECORD)), np.uint8).reshape(COUNT, _RECORD)


def _images(records: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(records[:, 1:]).reshape(-1, 3, 32, 32)
