"""The device that this process computes on: the one that its worker was given, or the processor."""

from __future__ import annotations

import torch

from pbt_core import current_worker


def current() -> torch.device:
    """The worker's first device. Of NVIDIA's cards a worker sees its own alone, so that the first is number 0."""
    worker = current_worker()
    if worker is None or not worker.devices:
        return torch.device("cpu")
    name = worker.devices[0]
    return torch.device("cuda", 0) if name.startswith("cuda") else torch.device(name)
