"""The Transformer of Vaswani et al. (2017, "Attention is all you need"), one embedding for source, target and output.

Same function as fairseq's ``transformer``, weight for weight (tests hold the two together): its initialisation, its
sinusoids, which begin after the padding id, and its label smoothing. Blocks are normed before (``pre_norm``, steadier in
short runs) or, as the paper's recipe has it, after they are added to the residual stream.

Nothing but attention is computed for padding: between the blocks of attention the ids of a batch stand one after another.

Shapes: B sentences, S source and T target positions (L: either), N ids that are not padding, H heads, E numbers a head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.translation.attention import Attention, KeysValues, Past, future
from reproductions.translation.dropout import QUIET, Noise
from reproductions.translation.ids import PAD, SPECIAL
from reproductions.translation.padding import Batch, Layout


@dataclass(frozen=True)
class Architecture:
    """Sizes. ValueError if ``width`` is odd, less than 4 or no multiple of ``heads``.

    vocabulary: ids, the four special ones among them. layers: of the encoder, and as many of the decoder.
    positions: longest sentence, in ids.
    """

    vocabulary: int
    width: int = 128
    ffn: int = 512
    layers: int = 2
    heads: int = 4
    pre_norm: bool = True
    positions: int = 1024

    def __post_init__(self) -> None:
        if self.width % self.heads or self.width % 2 or self.width < 4:
            raise ValueError(
                f"width = {self.width} must be even and a multiple of heads = {self.heads}, and at least 4"
            )
        if self.vocabulary <= SPECIAL:
            raise ValueError(f"vocabulary = {self.vocabulary} must be more than the {SPECIAL} special ids")


class FeedForward(nn.Module):
    """Two linear maps with a ReLU between them, at each position alone."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, x: Tensor, noise: Noise = QUIET) -> Tensor:
        return self.outer(noise.relu(self.inner(x).relu()))


class Residual(nn.Module):
    """A norm and where it goes: before a block in pre-norm, after the sum in post-norm."""

    def __init__(self, width: int, pre_norm: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.pre_norm = pre_norm

    def forward(self, x: Tensor, block: Callable[[Tensor], Tensor], noise: Noise) -> Tensor:
        if self.pre_norm:
            return x + noise.layer(block(self.norm(x)))
        return self.norm(x + noise.layer(block(x)))


class EncoderLayer(nn.Module):
    """Attention over the sentence, then a feed-forward block."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        self.attention = Attention(sizes.width, sizes.heads)
        self.attention_residual = Residual(sizes.width, sizes.pre_norm)
        self.feed_forward = FeedForward(sizes.width, sizes.ffn)
        self.feed_forward_residual = Residual(sizes.width, sizes.pre_norm)

    def forward(self, x: Tensor, layout: Layout, mask: Tensor | None, noise: Noise) -> Tensor:
        """x: [N, width]; mask: that of the layout."""

        def look(y: Tensor) -> Tensor:
            query, key, value = self.attention.project(y, layout)
            return self.attention.attend(query, (key, value), layout, mask, noise)

        x = self.attention_residual(x, look, noise)
        return self.feed_forward_residual(x, partial(self.feed_forward, noise=noise), noise)


class DecoderLayer(nn.Module):
    """Attention over the target so far, then over the source, then a feed-forward block."""

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        self.attention = Attention(sizes.width, sizes.heads)
        self.attention_residual = Residual(sizes.width, sizes.pre_norm)
        self.source_attention = Attention(sizes.width, sizes.heads)
        self.source_residual = Residual(sizes.width, sizes.pre_norm)
        self.feed_forward = FeedForward(sizes.width, sizes.ffn)
        self.feed_forward_residual = Residual(sizes.width, sizes.pre_norm)

    def forward(
        self,
        x: Tensor,
        layout: Layout,
        source: KeysValues,
        mask: Tensor | None,
        noise: Noise = QUIET,
        past: Past | None = None,
    ) -> Tensor:
        """x: [N, width], of whole sentences, or of the one position that follows on ``past``; mask: of the source."""

        def look_back(y: Tensor) -> Tensor:
            query, key, value = self.attention.project(y, layout)
            if past is None:
                return self.attention.attend(query, (key, value), layout, future(layout.length, y.device), noise)
            return self.attention.attend(query, past.extended((key, value)), layout, None, noise)

        def look_at_source(y: Tensor) -> Tensor:
            return self.source_attention.attend(self.source_attention.query(y, layout), source, layout, mask, noise)

        x = self.attention_residual(x, look_back, noise)
        x = self.source_residual(x, look_at_source, noise)
        return self.feed_forward_residual(x, partial(self.feed_forward, noise=noise), noise)


class Transformer(nn.Module):
    """Encoder and decoder; weights are drawn from torch's global generator, see ``pbt_core.torch.seeded``."""

    positions: Tensor

    def __init__(self, sizes: Architecture) -> None:
        super().__init__()
        self.sizes = sizes
        self.embedding = nn.Embedding(sizes.vocabulary, sizes.width, PAD)
        nn.init.normal_(self.embedding.weight, std=sizes.width**-0.5)
        nn.init.zeros_(self.embedding.weight[PAD])
        self.register_buffer("positions", sinusoids(sizes.positions, sizes.width), persistent=False)
        self.encoder = nn.ModuleList(EncoderLayer(sizes) for _ in range(sizes.layers))
        self.decoder = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        # In post-norm each layer ends with a norm already.
        self.encoder_norm = nn.LayerNorm(sizes.width) if sizes.pre_norm else nn.Identity()
        self.decoder_norm = nn.LayerNorm(sizes.width) if sizes.pre_norm else nn.Identity()

    def forward(self, source: Tensor, previous: Tensor, noise: Noise = QUIET) -> Tensor:
        """Logits [B, T, vocabulary] of the id that follows each of ``previous``; zero at padding."""
        layout = Layout.of(previous)
        return layout.padded(self.logits(self.decode(previous, layout, *self.encode(source, noise), noise)))

    def loss(self, batch: Batch, smoothing: float, noise: Noise = QUIET) -> Tensor:
        """Cross entropy with label smoothing, summed over the targets: a scalar, in nats.

        fairseq's form, whose ``smoothing`` is shared by the other ids alone. torch shares it among all of them, which is
        the same for a correspondingly larger value.
        """
        layout, vocabulary = Layout.of(batch.target), self.sizes.vocabulary
        hidden = self.decode(batch.previous, layout, *self.encode(batch.source, noise), noise)
        spread = smoothing * vocabulary / (vocabulary - 1)
        return F.cross_entropy(
            self.logits(hidden).float(), layout.packed(batch.target), label_smoothing=spread, reduction="sum"
        )

    def encode(self, source: Tensor, noise: Noise = QUIET) -> tuple[list[KeysValues], Tensor | None]:
        """The keys and values of ``source`` [B, S] for each layer of the decoder, and the mask of its padding, if any."""
        layout = Layout.of(source)
        mask, x = layout.mask(), self._embed(source, layout, 0, noise)
        for layer in self.encoder:
            x = layer(x, layout, mask, noise)
        x = self.encoder_norm(x)
        layers = cast("Iterable[DecoderLayer]", self.decoder)
        return [layer.source_attention.keys_values(x, layout) for layer in layers], mask

    def decode(
        self,
        previous: Tensor,
        layout: Layout,
        sources: list[KeysValues],
        mask: Tensor | None,
        noise: Noise = QUIET,
        pasts: list[Past] | None = None,
    ) -> Tensor:
        """Hidden states [N, width] after ``previous`` [B, T]; with ``pasts``, T is 1 and follows on them.

        Padding of ``previous`` needs no mask: it comes after everything that looks back.
        """
        x = self._embed(previous, layout, pasts[0].length if pasts else 0, noise)
        kept: Sequence[Past | None] = pasts or [None] * len(sources)
        for layer, source, past in zip(self.decoder, sources, kept, strict=True):
            x = layer(x, layout, source, mask, noise, past)
        return self.decoder_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., width] to [..., vocabulary]."""
        return F.linear(hidden, self.embedding.weight)

    def _embed(self, ids: Tensor, layout: Layout, begin: int, noise: Noise) -> Tensor:
        end = begin + ids.shape[1]
        if end > self.sizes.positions:
            raise ValueError(f"a sentence of {end} ids: at most positions = {self.sizes.positions}")
        scaled = math.sqrt(self.sizes.width) * self.embedding(ids)
        return noise.layer(layout.packed(scaled + self.positions[begin:end]))


def sinusoids(positions: int, width: int) -> Tensor:
    """Float32 [positions, width]: sines, then cosines, of tensor2tensor and fairseq, whose first position is ``PAD`` + 1."""
    half = width // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10_000) / (half - 1)))
    angles = torch.arange(PAD + 1, PAD + 1 + positions)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)
