"""Attention with several heads, and the keys and values that decoding keeps.

Shapes: B sentences of L positions, N of which are not padding, H heads, E numbers a head.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.translation.dropout import QUIET, Noise
from reproductions.translation.padding import Layout

#: Keys and values, each [B, H, length, E].
KeysValues = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Attention with several heads; queries, keys and values are projected by one matrix, in this order."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.width, self.heads = width, heads
        self.inputs = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        for rows in self.inputs.weight.split(width):
            nn.init.xavier_uniform_(rows, gain=1 / math.sqrt(2))
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def project(self, x: Tensor, layout: Layout) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of a sequence [N, width], each [B, H, L, E]."""
        query, key, value = self._heads(self.inputs(x), layout, 3)
        return query, key, value

    def query(self, x: Tensor, layout: Layout) -> Tensor:
        """Queries of a sequence [N, width] alone: [B, H, L, E]."""
        rows = F.linear(x, self.inputs.weight[: self.width], self.inputs.bias[: self.width])
        (query,) = self._heads(rows, layout, 1)
        return query

    def keys_values(self, x: Tensor, layout: Layout) -> KeysValues:
        """Keys and values of a sequence [N, width] alone, each [B, H, L, E]."""
        rows = F.linear(x, self.inputs.weight[self.width :], self.inputs.bias[self.width :])
        key, value = self._heads(rows, layout, 2)
        return key, value

    def attend(
        self, query: Tensor, keys_values: KeysValues, layout: Layout, mask: Tensor | None = None, noise: Noise = QUIET
    ) -> Tensor:
        """The values that the queries find, [N, width], by their ``layout``; ``mask`` is added to the scores [B, H, L, L']."""
        # Written out: at a sentence's length torch's fused kernel is no faster forward, far slower backward in bfloat16,
        # and its dropout takes no generator.
        key, value = keys_values
        scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
        if mask is not None:
            scores = scores + mask
        attended = noise.attention(scores.softmax(-1)) @ value
        return self.output(layout.packed(attended.transpose(1, 2).flatten(2)))

    def _heads(self, x: Tensor, layout: Layout, parts: int) -> Iterable[Tensor]:
        return layout.padded(x).unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4)


class Past:
    """Keys and values of the positions that a decoder layer has seen, with room for ``capacity`` of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.kept: list[Tensor] = []  # keys and values, position first, so that what is filled is contiguous

    def extended(self, keys_values: KeysValues) -> KeysValues:
        """Keep those of one more position, each [B, H, 1, E]; gives all of them, [B, H, length, E]."""
        rows, heads, _, size = keys_values[0].shape
        if not self.kept:
            self.kept = [new.new_empty(self.capacity, rows, heads, size) for new in keys_values]
        for kept, new in zip(self.kept, keys_values, strict=True):
            kept[self.length] = new.squeeze(2)
        self.length += 1
        key, value = (kept[: self.length].permute(1, 2, 0, 3) for kept in self.kept)
        return key, value

    def select(self, rows: Tensor) -> None:
        """Keep the sentences ``rows``, in this order; one may be there more than once."""
        selected = []
        for kept in self.kept:
            room = kept.new_empty(self.capacity, len(rows), *kept.shape[2:])
            torch.index_select(kept[: self.length], 1, rows, out=room[: self.length])
            selected.append(room)
        self.kept = selected


def future(length: int, device: torch.device) -> Tensor:
    """[length, length]: 0 where a position (row) may look, minus infinity at the positions after it."""
    return torch.full((length, length), -math.inf, device=device).triu(1)
