"""A task whose batches come from a data loader with a worker of its own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from pbt_core.testing import Hill


@dataclass(frozen=True)
class Loading(Hill):
    def step(self, state, hyperparameters, steps, seed):
        loader = DataLoader(TensorDataset(torch.arange(8.0)), batch_size=4, shuffle=True, num_workers=1)
        order = np.concatenate([batch.numpy() for (batch,) in loader])
        state = super().step(state, hyperparameters, steps, seed)
        return {**state, "x": state["x"] + 1e-3 * order[:3]}
