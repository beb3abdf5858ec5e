"""The device that this process computes on: the one that its worker was given, or the processor.

Draws that decide numbers are made on the processor, from the streams that their names give, and moved here afterwards: on
another device a run differs by rounding alone, not by other draws. The exception are the actions of actor-critics, which are
drawn where their probabilities are: waiting for these at every step would cost more than the step.
"""

from __future__ import annotations

import torch

from pbt_core import current_worker


def current() -> torch.device:
    """The worker's first device. A worker that sees its own of NVIDIA's cards alone numbers them from 0.

    ValueError in a process that sees more, for a card that is not named by its number.
    """
    worker = current_worker()
    if worker is None or not worker.devices:
        return torch.device("cpu")
    name = worker.devices[0]
    if worker.kind != "cuda":
        return torch.device(name)
    if worker.isolated:
        return torch.device("cuda", 0)
    number = name.removeprefix("cuda").removeprefix(":") or "0"
    if not number.isdigit():
        raise ValueError(f"device {name!r} must be cuda:N in a process that sees all cards")
    return torch.device("cuda", int(number))
