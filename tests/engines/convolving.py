"""A task of torch that says whether convolutions on a card would repeat to the bit."""

from dataclasses import dataclass

import torch

from pbt_core import Score
from pbt_core.testing import Hill


@dataclass(frozen=True)
class Convolving(Hill):
    """Its score: 1 if cuDNN is held to algorithms that do."""

    def evaluate(self, state, seed):
        return Score(float(torch.backends.cudnn.deterministic))
