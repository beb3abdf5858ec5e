"""A task that says where it runs."""

import os
from dataclasses import dataclass

from pbt_core import Score, current_worker
from pbt_core.testing import Hill


@dataclass(frozen=True)
class Placed(Hill):
    def evaluate(self, state, seed):
        worker = current_worker()
        visible = os.environ["CUDA_VISIBLE_DEVICES"]
        assert worker.devices == (f"cuda:{visible}",)
        return Score(0.0, metrics={"worker": float(worker.index), "visible": float(visible)})
