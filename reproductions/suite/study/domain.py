"""What a domain's task offers beyond ``pbt_core.Task``: hooks that the suite calls before and after a run, with defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from pbt_core import Plan, Score, Stream, current_worker

State = TypeVar("State")
if TYPE_CHECKING:
    from pbt_core import Task as _Task
else:

    class _Task(Generic[State]):
        """Not the protocol itself, whose read-only ``space`` would stand in the way of a field of that name."""


#: What tasks compute on that keep their tensors on ``reproductions.shared.device.current()``.
TORCH_DEVICES = ("cpu", "cuda", "mps")


class DomainTask(_Task[State]):
    """The base of every domain's task; ``reproductions.suite.study.conformance`` holds a task to what is said here.

    A task's settings are its fields and say what is computed; ``space`` is a class attribute or a property. Where it is
    computed is no setting: a task asks ``reproductions.shared.device.current()``.
    """

    @property
    def devices(self) -> tuple[str, ...]:
        """The kinds of devices that it can compute on, of "cpu", "cuda" and "mps"; a class attribute will do."""
        return ("cpu",)

    def prepare(self, plan: Plan) -> None:
        """Called once, before any worker starts: get data and whatever else all workers share, and check the settings.

        It runs on the processor, whichever device the run is for, and may be called again. ConfigError, in one line that
        names the key, the value and the rule, for what is missing and for settings or a ``plan`` that are not possible.
        """

    def describe(self) -> dict[str, Any]:
        """What readers of the scores must know beside the settings, as JSON; it stands in the summary as ``described``."""
        return {}

    def numerics(self) -> dict[str, Any]:
        """What the numbers depend on beside the settings, as JSON: a run is not resumed where they differ.

        Tasks add what their machine decides, such as the arithmetic. It must not depend on how many workers there are.
        Of a CUDA device it says how torch may multiply float32 numbers there.
        """
        worker = current_worker()
        kind = "cpu" if worker is None else worker.kind
        return {"device": kind, **(_products_on_cuda() if kind == "cuda" else {})}

    def illustrate(self, state: State, seed: Stream) -> dict[str, NDArray[np.generic]] | None:
        """Arrays by name, kept with a finished run for figures; None for none. ``state`` is of the run's answer."""
        return None

    def report(self, state: State, seed: Stream) -> Score | None:
        """A final evaluation of the run's answer, after training and outside its budget, which selects nothing.

        ``value`` is the number that is reported, ``samples`` what it is the mean of. None: what ``evaluate`` held out is
        reported. All draws are from ``seed``: computed again, it is the same.
        """
        return None


def _products_on_cuda() -> dict[str, str]:
    """The formats in which torch may multiply float32 numbers on NVIDIA's cards. No card is asked.

    By its default convolutions may use TF32, with 10 bits of mantissa instead of 23, where a card has it (since Ampere).
    """
    import torch  # here alone: whoever only reads runs needs no torch

    allowed = {
        "convolutions": torch.backends.cudnn.allow_tf32,
        "matrix_products": torch.backends.cuda.matmul.allow_tf32,
    }
    return {what: "tf32" if may else "float32" for what, may in allowed.items()}


__all__ = ["TORCH_DEVICES", "DomainTask"]
