"""What the bytes of a checkpoint cost: python benchmarks/checkpoint_bytes.py

Microseconds of CPU by ``pbt_core.layout`` and by the library ``safetensors``, which makes the same bytes, for a state of 18
float32 tensors (a small network with its momentum, 42 KB). The least of several rounds in turn, in one process.
"""

from __future__ import annotations

import sys
import time
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save

sys.path[:0] = [str(Path(__file__).parent.parent)]

from pbt_core.layout import file_bytes  # noqa: E402

ROUNDS, CALLS = 7, 2000


def main() -> None:
    """Print one line for each."""
    shapes = {"weight": (24, 64), "bias": (64,), "momentum": (64,)}
    state = {f"layer{i}.{name}": np.ones(shape, np.float32) for i in range(6) for name, shape in shapes.items()}
    note = '[{},{"work":{"member":3,"start":380,"stop":400},"score":{"score":0.9432}}]'
    writers: dict[str, Callable[[], bytes]] = {
        "layout": lambda: file_bytes(state, note),
        "safetensors": lambda: save(state, {"pbt": note}),
    }
    assert len({write() for write in writers.values()}) == 1, "they make the same bytes"
    least = dict.fromkeys(writers, float("inf"))
    for _ in range(ROUNDS):
        for name, write in writers.items():
            seconds = timeit.timeit(write, number=CALLS, timer=time.process_time)
            least[name] = min(least[name], seconds / CALLS)
    for name, seconds in least.items():
        print(f"{name:12} {1e6 * seconds:6.1f} us")


if __name__ == "__main__":
    main()
