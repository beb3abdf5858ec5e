"""A task that says where it runs."""

import os
from dataclasses import dataclass

from pbt_core import Score, current_worker
from pbt_core.testing import Hill


@dataclass(frozen=True)
class Placed(Hill):
    """card: what the process must see; None for the number in the device's name."""

    card: int | None = None

    def evaluate(self, state, seed):
        worker = current_worker()
        visible = os.environ["CUDA_VISIBLE_DEVICES"]
        assert worker.isolated
        assert int(visible) == (int(worker.devices[0].removeprefix("cuda:")) if self.card is None else self.card)
        return Score(0.0, metrics={"worker": float(worker.index), "visible": float(visible)})
