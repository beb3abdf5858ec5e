"""Arrays that a task made with a run's answer for figures (``DomainTask.illustrate``), read back from the run's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from reproductions.suite.study.inputs import InputError, read_bytes

NAME = "illustration.safetensors"


class NoIllustration(InputError):
    """The run left no arrays: it was made, or kept, without them."""


def read_illustration(folder: Path, **ranks: int) -> dict[str, NDArray[np.generic]]:
    """The named arrays, each with so many axes; InputError names the file and what it does not hold.

    Kept records have the arrays of the first seed of each method. Where there are none: NoIllustration.
    """
    path = folder / NAME
    if not path.exists():
        raise NoIllustration(f"{path}: there is no such file")
    read_bytes(path)  # refuses what is no regular file
    try:
        arrays = load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: holds no arrays: {error}") from None
    for name, rank in ranks.items():
        if name not in arrays:
            raise InputError(f"{path}: holds no {name}")
        if arrays[name].ndim != rank:
            raise InputError(f"{path}: {name} must have {rank} axes, not the shape {list(arrays[name].shape)}")
    return {name: arrays[name] for name in ranks}
