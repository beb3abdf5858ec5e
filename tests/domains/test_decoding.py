"""Greedy and beam search: against slow readings of their rules."""

import math
from dataclasses import replace

import pytest
import torch
from translating import NORMS, SIZES, model_of, sentences, slow_scores

from reproductions.translation.decoding import Search, beam_search, greedy, translate
from reproductions.translation.ids import EOS, PAD
from reproductions.translation.padding import padded
from reproductions.translation.transformer import Architecture


def slow_beam(model, source, search):
    """Beam search over lists, each step a whole pass: a reading of fairseq's rules."""
    cap = math.floor(search.ratio * len(source) + search.extra)
    going, ended = [(0.0, [EOS])], []
    while len(ended) < search.beam:
        candidates = []
        for score, prefix in going:
            scores = slow_scores(model, source, prefix)
            for index in [EOS] if len(prefix) > cap else range(model.sizes.vocabulary):
                candidates.append((score + float(scores[index]), [*prefix, index]))
        candidates.sort(key=lambda candidate: -candidate[0])
        candidates = candidates[: 2 * search.beam]
        for score, prefix in candidates[: search.beam]:
            if prefix[-1] == EOS and math.isfinite(score):
                ended.append((score / (len(prefix) - 1) ** search.length_penalty, prefix[1:-1]))
        going = [candidate for candidate in candidates if candidate[1][-1] != EOS][: search.beam]
        if not going:
            break
    return max(ended, key=lambda hypothesis: hypothesis[0])[1]


@NORMS
def test_cached_decoding_equals_uncached_decoding(pre_norm):
    """Greedy with kept keys and values says what a whole pass over each beginning of the sentence says."""
    model = model_of(replace(SIZES, pre_norm=pre_norm))
    sources, search = sentences(12), Search(rows=5)
    for source, translation in zip(sources, translate(model, sources, search), strict=True):
        prefix, cap = [EOS], math.floor(1.2 * len(source) + 8)
        while len(prefix) <= cap:
            prefix.append(int(slow_scores(model, source, prefix).argmax()))
            if prefix[-1] == EOS:
                break
        assert translation == prefix[1 : None if prefix[-1] != EOS else -1]


@NORMS
@pytest.mark.parametrize(("beam", "length_penalty"), [(2, 1.0), (4, 0.6), (4, 0.0)])
def test_beam_search_equals_a_slow_reading_of_its_rules(pre_norm, beam, length_penalty):
    """Lists instead of tensors, whole passes instead of kept keys and values."""
    model = model_of(replace(SIZES, pre_norm=pre_norm))
    sources, search = sentences(10), Search(beam, length_penalty, extra=3, rows=12)
    expected = [slow_beam(model, source, search) for source in sources]
    assert translate(model, sources, search) == expected
    assert len({len(ids) for ids in expected}) > 2, "sentences of several lengths end"


@NORMS
def test_a_beam_of_one_is_greedy(pre_norm):
    """The two are written apart, and agree."""
    model = model_of(replace(SIZES, pre_norm=pre_norm))
    source = padded(sentences(20))
    with torch.no_grad():
        assert beam_search(model, source, Search(1)) == greedy(model, source, Search(1))


@pytest.mark.parametrize("beam", [1, 3])
def test_translations_neither_exceed_their_cap_nor_are_empty(beam):
    """A model that never ends stops at each sentence's own cap, one that ends at once says an id before."""
    model, sources = model_of(), sentences(30, 1, 20)
    unlikely, likely = (model.decoder_norm.bias.detach() + sign * 9 * model.embedding.weight[EOS] for sign in (-1, 1))
    model.decoder_norm.bias.data = unlikely
    translations = translate(model, sources, Search(beam, ratio=0.5, extra=2))
    assert [len(ids) for ids in translations] == [math.floor(0.5 * len(source) + 2) for source in sources]
    model.decoder_norm.bias.data = likely
    ended = translate(model, sources, Search(beam))
    assert {len(ids) for ids in ended} == {1}
    assert not {EOS, PAD} & {index for ids in translations + ended for index in ids}


def test_nothing_to_translate_is_no_error():
    """No sources, no translations."""
    assert translate(model_of(), [], Search()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Architecture(40, width=10, heads=4), "width = 10 must be even and a multiple of heads = 4"),
        (lambda: Architecture(4), "vocabulary = 4 must be more than the 4 special ids"),
        (lambda: Search(beam=0), "beam = 0 must be in 1..rows = 128"),
        (lambda: Search(extra=0), r"ratio = 1.2, extra = 0 must be at least 0 and 1"),
        (lambda: translate(model_of(), sentences(2), Search(20)), "beam = 20 must be at most 19 with vocabulary = 40"),
        (
            lambda: translate(model_of(replace(SIZES, positions=6)), sentences(1, 8, 8), Search()),
            "a sentence of 9 ids: at most positions = 6",
        ),
    ],
)
def test_impossible_sizes_are_named(make, message):
    """The message has the value and the rule."""
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("beam", [1, 3])
def test_a_broken_model_still_comes_to_an_end(beam):
    """Scores that are not numbers are no error: whatever is said ends at the cap."""
    model, sources = model_of(), sentences(7)
    model.decoder_norm.bias.data[:] = math.nan
    translations = translate(model, sources, Search(beam))
    assert all(len(ids) <= math.floor(1.2 * len(source) + 8) for source, ids in zip(sources, translations, strict=True))
