"""Accelerators by their names: how workers share them, and what a worker process sees of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pbt_core.fields import Rule

#: The variable by which a process sees only some of NVIDIA's cards, which it then numbers from 0.
VISIBLE = "CUDA_VISIBLE_DEVICES"


#: A number, NVIDIA's identity of a card or of a part of one, or a kind of torch's with a number or without.
_NAME = re.compile(r"[0-9]{1,4}|(GPU|MIG)-[0-9A-Za-z/-]{1,200}|[a-z]{1,20}(:[0-9]{1,4})?")


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _are_different(names: Sequence[str]) -> bool:
    cards = {name.removeprefix("cuda:") for name in names}
    return len(cards) == len(names)


#: Devices by their names, such as ("cuda:0", "cuda:1"): NVIDIA's cards by number or identity, others as torch names them.
Devices = Annotated[
    tuple[Annotated[str, Rule("names such as '0', 'cuda:0', 'GPU-8f1c' or 'mps'", _is_name)], ...],
    Rule("different ones, of which several workers may use one", _are_different),
]


def kind(name: str) -> str:
    """What stands before the colon, such as "mps"; "cuda" for NVIDIA's cards also by number, "GPU-..." or "MIG-..."."""
    before = name.partition(":")[0]
    return "cuda" if before.isdigit() or before.startswith(("GPU-", "MIG-")) else before


def share_out(devices: Sequence[str], worker: int, count: int) -> tuple[str, ...]:
    """The devices of one of ``count`` workers: an even share, or one that several use if devices are fewer than workers."""
    if not devices:
        return ()
    return tuple(devices[worker::count]) if len(devices) >= count else (devices[worker % len(devices)],)


def visible(devices: Sequence[str], inherited: str | None) -> str | None:
    """The value of ``CUDA_VISIBLE_DEVICES`` that shows a process only these devices; None if they are not NVIDIA's.

    ``inherited`` is its value in this process: where a scheduler has set it to "2,3", these cards are "cuda:0" and "cuda:1".
    ValueError for a number beyond the inherited cards.
    """
    cards = [name.removeprefix("cuda:") for name in devices if kind(name) == "cuda"]
    if not cards:
        return None
    if inherited is None:
        return ",".join(cards)
    lent = [name for name in inherited.split(",") if name]
    for card in cards:
        if card.isdigit() and int(card) >= len(lent):
            raise ValueError(f"device {card!r} must be below {len(lent)}: {VISIBLE} is {inherited!r}")
    return ",".join(lent[int(card)] if card.isdigit() else card for card in cards)


def repeatable(device: str) -> Callable[[], None]:
    """From now on this process gets the same bits each time from torch's convolutions on that kind of device; to be undone.

    By default cuDNN also takes algorithms on NVIDIA's cards whose sums come in whatever order threads end in. The flag is
    torch's own, of cards alone. Nothing is done where no torch has been imported.
    """
    torch: Any = sys.modules.get("torch")
    if device != "cuda" or torch is None:
        return lambda: None
    cudnn = torch.backends.cudnn
    before, cudnn.deterministic = cudnn.deterministic, True
    return lambda: setattr(cudnn, "deterministic", before)
