"""What is left of a value that decays, in the shapes that recipes made by hand have."""

from __future__ import annotations

import math


def decayed(decay: str, progress: float, final: float) -> float:
    """The share of the initial value after ``progress`` of the decay, from 1 at 0 to ``final`` at 1, and no further.

    decay: "linear", "exponential" or "cosine"; with "constant" it is 1 throughout.
    """
    way = min(max(progress, 0.0), 1.0)
    match decay:
        case "linear":
            return 1 - (1 - final) * way
        case "exponential":
            return float(final**way)
        case "cosine":
            return final + (1 - final) * (1 + math.cos(math.pi * way)) / 2
    return 1.0
