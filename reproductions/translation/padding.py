"""Sentences of unequal length in one array: batches, and where their ids stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from reproductions.translation.ids import PAD


@dataclass(frozen=True)
class Batch:
    """Sentence pairs as int64 ids, padded with ``PAD`` on the right.

    source: [B, S], each sentence with ``EOS`` behind it. target: [B, T], likewise. previous: [B, T], what the decoder
    has seen before each target: ``EOS``, then the target without its last id. tokens: targets that are not padding.
    """

    source: Tensor
    previous: Tensor
    target: Tensor
    tokens: int

    @classmethod
    def of(cls, source: ArrayLike, previous: ArrayLike, target: ArrayLike) -> Batch:
        """From arrays or nested lists of ids."""
        source, previous, target = (torch.as_tensor(ids, dtype=torch.int64) for ids in (source, previous, target))
        return cls(source, previous, target, int((target != PAD).sum()))

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        return Batch(self.source.to(device), self.previous.to(device), self.target.to(device), self.tokens)


@dataclass(frozen=True)
class Layout:
    """Where the N ids of a batch stand among its B x L positions; ``places``: int64 [N], None if all of them are ids."""

    sentences: int
    length: int
    places: Tensor | None = None

    @classmethod
    def of(cls, ids: Tensor) -> Layout:
        """The layout of ids [B, L]."""
        sentences, length = ids.shape
        is_token = ids != PAD
        return cls(sentences, length, None if is_token.all() else is_token.flatten().nonzero().squeeze(1))

    def packed(self, x: Tensor) -> Tensor:
        """[B, L, ...] to [N, ...]."""
        flat = x.flatten(0, 1)
        return flat if self.places is None else flat.index_select(0, self.places)

    def padded(self, x: Tensor) -> Tensor:
        """[N, ...] to [B, L, ...], zero at padding."""
        if self.places is not None:
            x = x.new_zeros(self.sentences * self.length, *x.shape[1:]).index_copy(0, self.places, x)
        return x.unflatten(0, (self.sentences, self.length))

    def mask(self) -> Tensor | None:
        """What is added to scores of these positions as keys, [B, 1, 1, L]: minus infinity at padding."""
        if self.places is None:
            return None
        hidden = torch.full((self.sentences * self.length,), -math.inf, device=self.places.device)
        return hidden.index_fill(0, self.places, 0.0).view(self.sentences, 1, 1, self.length)


def padded(sentences: Sequence[Sequence[int]]) -> Tensor:
    """Sentences as int64 [B, S], padded on the right."""
    return pad_sequence([torch.as_tensor(ids, dtype=torch.int64) for ids in sentences], True, PAD)
