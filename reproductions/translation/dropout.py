"""The three dropouts of a Transformer, as numbers that may change from one step to the next.

Nothing here is kept in a module: rates and generator are handed to each pass, so none can be stale after a clone. The
masks come from 16 random bits a number, which costs a third of torch's own dropout on a CPU.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Dropouts:
    """Probabilities in [0, 1) with which a number is set to zero in training. ValueError names one that is outside.

    attention: the attention weights after their softmax. layer: the output of each block before it is added to the
        residual stream, and the embeddings. relu: the hidden units of the feed-forward blocks.
    """

    attention: float = 0.0
    layer: float = 0.0
    relu: float = 0.0

    def __post_init__(self) -> None:
        for field in fields(self):
            rate = getattr(self, field.name)
            if not 0 <= rate < 1:
                raise ValueError(f"{field.name} = {rate} must be in [0, 1)")


@dataclass(frozen=True)
class Noise:
    """Rates, and the generator that the masks are drawn from: on the processor, whichever device the model is on."""

    rates: Dropouts
    rng: torch.Generator

    def attention(self, x: Tensor) -> Tensor:
        return dropout(x, self.rates.attention, self.rng)

    def layer(self, x: Tensor) -> Tensor:
        return dropout(x, self.rates.layer, self.rng)

    def relu(self, x: Tensor) -> Tensor:
        return dropout(x, self.rates.relu, self.rng)


#: No dropout: what evaluation and decoding use.
QUIET = Noise(Dropouts(), torch.Generator())


def dropout(x: Tensor, rate: float, rng: torch.Generator) -> Tensor:
    """Each number of ``x`` zero with probability ``rate``, the others scaled so that the expectation stays.

    The rate is rounded to a multiple of 1 / 65,536, and the scale is that of the rounded rate. The masks are
    the same on every device.
    """
    dropped = min(round(rate * 65_536), 65_535)
    if not dropped:
        return x
    # Four draws from each integer. The range is given since without it the sign bit would always be zero.
    bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None, generator=rng).to(x.device)
    kept = bits.view(torch.int16)[: x.numel()].view(x.shape) >= dropped - 32_768
    return x * (kept * (65_536 / (65_536 - dropped))).to(x.dtype)
