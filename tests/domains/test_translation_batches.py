"""What data becomes: batches that are found again from the step, and BLEU."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pbt_core import Stream
from reproductions.translation import batches, bleu, ragged
from reproductions.translation.corpus import Pairs
from reproductions.translation.ids import EOS, PAD


def pairs_of(lengths: list[tuple[int, int]]) -> Pairs:
    """Pairs with these numbers of tokens, eos included; pair i is made of pieces 4 + i."""
    sides = zip(*lengths, strict=True)
    return Pairs(*(ragged.ragged(row(4 + i, size) for i, size in enumerate(side)) for side in sides))


def row(piece: int, size: int) -> np.ndarray:
    return np.array([piece] * (size - 1) + [EOS], np.int32)


def lengths(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    source = rng.integers(3, 30, count)
    return source, np.maximum(2, source + rng.integers(-3, 6, count))


def epoch_of(source: np.ndarray, target: np.ndarray, max_tokens: int, seed: int) -> list[np.ndarray]:
    begins = batches.cuts(source, target, max_tokens)
    return batches.shuffled(source, target, begins, np.random.default_rng(seed))


def test_an_epoch_has_every_pair_once_within_the_limit_and_little_padding() -> None:
    """Batches are disjoint, complete, no larger than asked for, and of nearly equal lengths."""
    source, target = lengths(2000)
    epoch = epoch_of(source, target, 512, 1)
    assert sorted(np.concatenate(epoch)) == list(range(2000))
    costs = [len(part) * max(source[part].max(), target[part].max()) for part in epoch]
    assert max(costs) <= 512
    assert source.sum() / sum(len(part) * source[part].max() for part in epoch) > 0.95


def test_epochs_differ_by_the_generator_alone() -> None:
    """Equal generators give equal batches, others another order and other companions, but the same number."""
    source, target = lengths(500)
    one, same, other = (epoch_of(source, target, 256, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert len(other) == len(one)
    assert {tuple(sorted(part)) for part in one} != {tuple(sorted(part)) for part in other}


def test_a_pair_longer_than_a_batch_is_refused() -> None:
    """The error names the limit, the pair and its length."""
    with pytest.raises(ValueError, match="max_tokens = 10: pair 1 has a side of 12 tokens"):
        batches.Epochs(pairs_of([(3, 3), (4, 12)]), 10)


def test_a_batch_is_padded_on_the_right_and_the_decoder_begins_with_eos() -> None:
    """Shapes, padding and the shifted target of two pairs of unequal lengths."""
    batch = batches.batch(pairs_of([(3, 2), (2, 4), (9, 9)]), np.array([0, 1]))
    assert batch.source.tolist() == [[4, 4, EOS], [5, EOS, PAD]]
    assert batch.target.tolist() == [[4, EOS, PAD, PAD], [5, 5, 5, EOS]]
    assert batch.previous.tolist() == [[EOS, 4, PAD, PAD], [EOS, 5, 5, 5]]
    assert batch.tokens == 6
    assert batch.source.dtype == batch.previous.dtype == batch.target.dtype == torch.int64


def test_a_member_resumes_in_the_middle_of_an_epoch_from_its_steps_alone() -> None:
    """Any step asked for out of order, by another object, is the one of an uninterrupted stream; epochs differ."""
    pairs = pairs_of(list(zip(*(side.tolist() for side in lengths(300)), strict=True)))
    straight = batches.Epochs(pairs, 128)
    steps = 2 * straight.steps + 3
    run = [straight.at(step, Stream(5)) for step in range(steps)]
    for step in (steps - 1, 4, straight.steps + 1):
        resumed = batches.Epochs(pairs, 128).at(step, Stream(5))
        assert np.array_equal(resumed.source, run[step].source)
        assert np.array_equal(resumed.previous, run[step].previous)
        assert np.array_equal(resumed.target, run[step].target)
    first, second = (run[start : start + straight.steps] for start in (0, straight.steps))
    assert sum(part.tokens for part in first) == sum(part.tokens for part in second) == pairs.target.lengths.sum()
    assert not all(np.array_equal(a.source, b.source) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(straight.at(0, Stream(6)).source, run[0].source)


def test_bleu_comes_with_the_signature_it_holds_for() -> None:
    """A perfect translation has 100; the signature tells sacrebleu's version and tokeniser."""
    references = ["Das ist ein Haus mit Garten.", "Der Hund schläft in der Küche."]
    score = bleu.corpus(references, references)
    assert score.score == pytest.approx(100)
    assert score.signature == "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"


def test_bleu_has_its_closed_form() -> None:
    """Six tokens, one wrong at the end: precisions 5/6, 4/5, 3/4, 2/3, no brevity penalty."""
    score = bleu.corpus(["a b c d e x"], ["a b c d e f"])
    assert score.score == pytest.approx(100 * (5 / 6 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25)


@pytest.mark.parametrize(("hypotheses", "references"), [([], []), (["a"], ["a", "b"])])
def test_bleu_of_unequal_or_no_sentences_is_refused(hypotheses: list[str], references: list[str]) -> None:
    """Both numbers are in the error."""
    with pytest.raises(ValueError, match=f"{len(hypotheses)} hypotheses, {len(references)} references"):
        bleu.corpus(hypotheses, references)
