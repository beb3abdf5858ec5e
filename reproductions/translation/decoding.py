"""Translations from a Transformer: greedy, or beam search with fairseq's rules, one position a pass.

The keys and values of earlier positions are kept, sentences of similar length share a batch, and those that have ended
leave it. An untrained model never ends a sentence, hence the cap on its length.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reproductions.translation.attention import Past
from reproductions.translation.ids import EOS, PAD
from reproductions.translation.padding import Layout, padded
from reproductions.translation.transformer import Transformer


@dataclass(frozen=True)
class Search:
    """How to search. ValueError names what is out of range.

    beam: hypotheses kept a sentence; 1 is greedy. length_penalty: the exponent by which a hypothesis' log probability is
    divided by its length, ``EOS`` included; larger favours longer ones. ratio, extra: the cap, in ids before ``EOS``:
    ratio x length of the source, ``EOS`` included, + extra. rows: sentences x beam that share a batch.
    """

    beam: int = 1
    length_penalty: float = 1.0
    ratio: float = 1.2
    extra: int = 8
    rows: int = 128

    def __post_init__(self) -> None:
        if not 1 <= self.beam <= self.rows:
            raise ValueError(f"beam = {self.beam} must be in 1..rows = {self.rows}")
        if self.ratio < 0 or self.extra < 1:
            raise ValueError(f"ratio = {self.ratio}, extra = {self.extra} must be at least 0 and 1")


@torch.inference_mode()
def translate(model: Transformer, sources: Sequence[Sequence[int]], search: Search) -> list[list[int]]:
    """Translations in the order of ``sources``, which end with ``EOS``; translations come without, at least one id each.

    One thread gives the same ids each time, whatever else is in ``sources``, up to ties that rounding decides.
    """
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    sentences = search.rows // search.beam
    ordered: list[list[int]] = [[] for _ in sources]
    for begin in range(0, len(order), sentences):
        chosen = order[begin : begin + sentences]
        source = padded([sources[i] for i in chosen]).to(model.positions.device)
        translations = greedy(model, source, search) if search.beam == 1 else beam_search(model, source, search)
        for i, translation in zip(chosen, translations, strict=True):
            ordered[i] = translation
    return ordered


class Decoder:
    """The model at a position of some rows, each with its source, the past and a cap."""

    def __init__(self, model: Transformer, source: Tensor, search: Search) -> None:
        lengths = (source != PAD).sum(1)
        self.caps = (lengths * search.ratio + search.extra).floor().long().clamp(max=model.sizes.positions - 1)
        self.model = model
        self.sources, self.mask = model.encode(source)
        self.pasts = [Past(int(self.caps.max()) + 1) for _ in self.sources]

    @property
    def position(self) -> int:
        """Ids scored so far."""
        return self.pasts[0].length

    @property
    def capped(self) -> Tensor:
        """Bool [rows]: the next id ends the sentence."""
        return self.position >= self.caps

    def scores(self, previous: Tensor, *, normalised: bool) -> Tensor:
        """Scores of the next id of each row, given the last one, float32 [rows, vocabulary]: logits or log probabilities.

        Minus infinity where an id is not allowed: ``PAD`` never is, ``EOS`` not at first, and nothing else at the cap.
        """
        capped = self.capped
        layout = Layout(len(previous), 1)
        hidden = self.model.decode(previous[:, None], layout, self.sources, self.mask, pasts=self.pasts)
        scores = self.model.logits(hidden).float()
        if normalised:
            scores = scores.log_softmax(-1)
        scores[:, PAD] = -math.inf
        if self.position == 1:
            scores[:, EOS] = -math.inf
        if capped.any():
            ending = scores[capped, EOS]
            scores[capped] = -math.inf
            scores[capped, EOS] = ending
        return scores

    def select_sources(self, rows: Tensor) -> None:
        """Go on with the sources of ``rows``, in this order, each as often as it is named."""
        self.sources = [(key[rows], value[rows]) for key, value in self.sources]
        self.mask = None if self.mask is None else self.mask[rows]
        self.caps = self.caps[rows]

    def select_pasts(self, rows: Tensor) -> None:
        """Go on with the pasts of ``rows``, likewise."""
        for past in self.pasts:
            past.select(rows)


def greedy(model: Transformer, source: Tensor, search: Search) -> list[list[int]]:
    """The likeliest id at each position; source: [B, S], gives B translations."""
    decoder = Decoder(model, source, search)
    translations: list[list[int]] = [[] for _ in source]
    sentences = torch.arange(len(source), device=source.device)  # that are still going on
    prefixes = source.new_full((len(source), 1), EOS)
    while len(sentences):
        chosen = decoder.scores(prefixes[:, -1], normalised=False).argmax(1)
        prefixes = torch.cat([prefixes, chosen[:, None]], 1)
        ended = chosen == EOS
        if ended.any():
            for sentence, ids in zip(sentences[ended].tolist(), prefixes[ended, 1:-1].tolist(), strict=True):
                translations[sentence] = ids
            going = (~ended).nonzero().squeeze(1)
            sentences, prefixes = sentences[going], prefixes[going]
            decoder.select_sources(going)
            decoder.select_pasts(going)
    return translations


def beam_search(model: Transformer, source: Tensor, search: Search) -> list[list[int]]:
    """The best hypothesis of each sentence by fairseq's rules; source: [B, S], gives B translations.

    Of twice ``beam`` candidates, those that end count if they are among the first ``beam``; the first ``beam`` of the
    others go on. A sentence is done when ``beam`` hypotheses have ended. ValueError if the vocabulary is too small for it.
    """
    beam, vocabulary = search.beam, model.sizes.vocabulary
    if 2 * beam > vocabulary - 2:
        raise ValueError(f"beam = {beam} must be at most {(vocabulary - 2) // 2} with vocabulary = {vocabulary}")
    decoder = Decoder(model, source, search)
    translations: list[list[int]] = [[] for _ in source]
    sentences = torch.arange(len(source), device=source.device)
    best = torch.full((len(source),), -math.inf, device=source.device)
    ended = torch.zeros_like(sentences)  # hypotheses, for each sentence that is still going on
    prefixes = source.new_full((len(source), 1), EOS)
    scores = torch.zeros(len(source), 1, device=source.device)  # [sentences, hypotheses]: one at first, then ``beam``
    while len(sentences):
        hypotheses, capped = scores.shape[1], decoder.capped[:: scores.shape[1]]
        following = decoder.scores(prefixes[:, -1], normalised=True).view(*scores.shape, vocabulary)
        candidates, flat = (scores[..., None] + following).flatten(1).topk(2 * beam)
        first = torch.arange(len(sentences), device=source.device)[:, None] * hypotheses
        rows, ids = first + flat // vocabulary, flat % vocabulary
        ends = (ids == EOS) & candidates.isfinite()

        ending = (candidates[:, :beam] / decoder.position**search.length_penalty).where(ends[:, :beam], -math.inf)
        top, top_index = ending.max(1)
        better = (top > best[sentences]).nonzero().squeeze(1)
        best[sentences[better]] = top[better]
        winners = prefixes[rows[better, top_index[better]], 1:].tolist()
        for sentence, winner in zip(sentences[better].tolist(), winners, strict=True):
            translations[sentence] = winner

        ended = ended + ends[:, :beam].sum(1)
        going = ((ended < beam) & ~capped).nonzero().squeeze(1)
        unended = ends[going].int().argsort(dim=1, stable=True)[:, :beam]
        chosen = rows[going].gather(1, unended).flatten()
        prefixes = torch.cat([prefixes[chosen], ids[going].gather(1, unended).view(-1, 1)], 1)
        decoder.select_pasts(chosen)
        if hypotheses < beam or len(going) < len(sentences):
            places = torch.arange(beam, device=source.device).clamp(max=hypotheses - 1)
            decoder.select_sources((first[going] + places).flatten())
        scores, sentences, ended = candidates[going].gather(1, unended), sentences[going], ended[going]
    return translations
