"""What environments that show one picture are described by."""

from __future__ import annotations

import numpy as np

from reproductions.shared.rl.environments import Array


def pixels(height: int, width: int) -> dict[str, Array]:
    """The observations of an environment that shows one picture in colour and nothing else."""
    return {"pixels": Array((3, height, width), np.uint8)}
