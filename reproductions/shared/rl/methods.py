"""The searches that reinforcement-learning domains compare, as ``METHODS`` of their ``sweep.py``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Description = Mapping[str, Any]
#: What is left of a hand-set rate at the end of a linear decay (our choice, so that it stays within the domains' bounds).
END = 0.3


def compared(ready: int, steps: int, hand_set: Iterable[Description]) -> dict[str, Any]:
    """PBT by either exploiter, random search of values or of schedules over ``steps``, hand-set ones, PBT without explore."""
    return {
        "pbt": _pbt(ready),
        "pbt_t_test": _pbt(ready, exploit={"kind": "welch_t_test"}),
        "random_search": {"kind": "random_search"},
        "random_schedules": {"kind": "random_schedules", "steps": steps, "annealed": ["lr"]},
        "hand_tuned": {"kind": "scheduled", "schedules": list(hand_set)},
        "weights_only": _pbt(ready, copy=["weights"], explore=[]),
    }


def decaying(values: Mapping[str, float], steps: int) -> Description:
    """Hand-set values whose learning rate decays linearly over ``steps``."""
    decay = {"kind": "annealed", "hold": 0, "end": steps, "decay": "linear", "final": END, "only": ["lr"]}
    return {**decay, "values": values}


def fixed(values: Mapping[str, float]) -> Description:
    """Hand-set values that stay as they are."""
    return {"kind": "fixed", "values": values}


def _pbt(ready: int, **changes: Any) -> dict[str, Any]:
    # No score means anything before episodes have ended: the first exploit follows the second interval.
    return {"kind": "pbt", "ready": ready, "warmup": 2 * ready, "exploit": {"kind": "truncation"}, **changes}
