"""Our Transformer and its dropout: against slow formulas and against itself."""

import math
from dataclasses import replace

import pytest
import torch
from translating import NORMS, SIZES, batch_of, model_of, noise, sentences

from reproductions.translation.dropout import Dropouts, dropout
from reproductions.translation.ids import EOS, PAD, SPECIAL
from reproductions.translation.padding import Layout
from reproductions.translation.transformer import sinusoids


@NORMS
def test_attention_is_the_formula_of_the_paper(pre_norm):
    """softmax(Q K' / sqrt(d)) V in each head, written with loops."""
    attention = model_of(replace(SIZES, pre_norm=pre_norm)).encoder[0].attention
    x = torch.randn(2, 5, 16, generator=torch.manual_seed(0))
    layout = Layout(2, 5)
    query, key, value = attention.project(x.flatten(0, 1), layout)
    attended = layout.padded(attention.attend(query, (key, value), layout))
    q, k, v = (attention.inputs(x)[..., begin : begin + 16] for begin in (0, 16, 32))
    heads = []
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        weights = torch.softmax(q[..., part] @ k[..., part].mT / math.sqrt(4), -1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(attended, attention.output(torch.cat(heads, -1)))


def test_a_layout_takes_padding_out_and_puts_it_back():
    """Ids in order, one after another; zeros come back at the places of padding."""
    ids = torch.tensor([[5, 6, EOS], [EOS, PAD, PAD]])
    layout = Layout.of(ids)
    assert layout.packed(ids).tolist() == [5, 6, EOS, EOS]
    assert layout.padded(layout.packed(ids)).tolist() == [[5, 6, EOS], [EOS, 0, 0]]
    assert layout.mask().tolist() == [[[[0, 0, 0]]], [[[0, -math.inf, -math.inf]]]]
    assert Layout.of(ids[:1]) == Layout(1, 3)
    assert Layout(1, 3).mask() is None


def test_positions_are_sinusoids_that_begin_after_the_padding_id():
    """Sine of position times rate in the first half of the numbers, cosine in the second; the first position is 2."""
    table = sinusoids(6, 8)
    for position in range(6):
        for index in range(4):
            angle = (position + 2) * 10_000 ** (-index / 3)
            assert float(table[position, index]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(table[position, index + 4]) == pytest.approx(math.cos(angle), abs=1e-5)


@NORMS
def test_padding_does_not_change_results(pre_norm):
    """A sentence alone gives what it gives beside longer ones."""
    model = model_of(replace(SIZES, pre_norm=pre_norm))
    sources, targets = sentences(5), sentences(5, seed=1)
    together = batch_of(sources, targets)
    logits = model(together.source, together.previous)
    losses = 0.0
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = batch_of([source], [target])
        torch.testing.assert_close(
            logits[row, : len(target)], model(alone.source, alone.previous)[0], atol=1e-5, rtol=1e-5
        )
        losses += float(model.loss(alone, 0.1).detach())
    assert float(model.loss(together, 0.1).detach()) == pytest.approx(losses, rel=1e-5)


def test_no_target_is_seen_before_its_turn():
    """Changing a later id of what was said leaves the earlier logits as they are."""
    model = model_of()
    batch = batch_of(sentences(1, 6, 6), sentences(1, 6, 6, seed=1))
    changed = batch.previous.clone()
    changed[0, 4] = SPECIAL
    before, after = model(batch.source, batch.previous), model(batch.source, changed)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.equal(before[:, 4:], after[:, 4:])


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_label_smoothing_is_a_share_of_all_other_ids(smoothing):
    """The target keeps 1 - smoothing, every other id of the vocabulary has an equal part of the rest."""
    model = model_of()
    batch = batch_of(sentences(4), sentences(4, seed=1))
    scores = model(batch.source, batch.previous).detach().log_softmax(-1)
    expected = 0.0
    for row, column in zip(*torch.nonzero(batch.target != PAD, as_tuple=True), strict=True):
        wanted = torch.full((40,), smoothing / 39)
        wanted[batch.target[row, column]] = 1 - smoothing
        expected -= float((wanted * scores[row, column]).sum())
    assert float(model.loss(batch, smoothing).detach()) == pytest.approx(expected, rel=1e-5)


def test_one_embedding_serves_source_target_and_output():
    """There is no other matrix as large as the vocabulary."""
    names = [name for name, parameter in model_of().named_parameters() if SIZES.vocabulary in parameter.shape]
    assert names == ["embedding.weight"]


@pytest.mark.parametrize("name", ["attention", "layer", "relu"])
def test_a_dropout_changed_from_one_pass_to_the_next_takes_effect(name):
    """Each of the three alone changes the loss; back at zero the loss is what it was."""
    model, batch = model_of(), batch_of(sentences(4), sentences(4, seed=1))
    quiet = model.loss(batch, 0.1)
    assert not torch.equal(model.loss(batch, 0.1, noise(**{name: 0.3})), quiet)
    assert torch.equal(model.loss(batch, 0.1, noise(**{name: 0.0})), quiet)


def test_a_dropout_depends_on_its_generator_alone():
    """The same seed gives the same masks, another seed others; torch's global generator is not touched."""
    model, batch = model_of(), batch_of(sentences(4), sentences(4, seed=1))
    before = torch.get_rng_state()
    first, again, other = (model.loss(batch, 0.1, noise(seed, layer=0.3)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    """Within four standard errors, on an amount of numbers that no four divides."""
    count = 200_003
    x = dropout(torch.ones(count), rate, torch.Generator().manual_seed(0))
    error = 4 * math.sqrt(max(rate * (1 - rate), 1e-12) / count)
    assert float((x == 0).float().mean()) == pytest.approx(rate, abs=error)
    assert float(x.mean()) == pytest.approx(1, abs=error / (1 - rate))


def test_a_dropped_number_gets_no_gradient():
    """And a kept one the gradient that its scale gives it."""
    x = torch.ones(1000, requires_grad=True)
    y = dropout(x, 0.5, torch.Generator().manual_seed(0))
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


@pytest.mark.parametrize("wrong", [-0.1, 1.0, math.nan])
def test_an_impossible_rate_is_named(wrong):
    """With its name and the rule."""
    with pytest.raises(ValueError, match=r"relu = .* must be in \[0, 1\)"):
        Dropouts(relu=wrong)
