"""Our Transformer, its dropout, its decoding and its training: against slow formulas and against itself."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from pbt_core import Checkpoint, Stream
from pbt_core.store import Store
from pbt_core.torch import seeded
from reproductions.registry import ConfigError
from reproductions.translation.decoding import Search, beam_search, greedy, translate
from reproductions.translation.dropout import Dropouts, Noise, dropout
from reproductions.translation.ids import EOS, PAD, SPECIAL
from reproductions.translation.padding import Batch, Layout, padded
from reproductions.translation.trainer import TorchTranslator, translator
from reproductions.translation.transformer import Architecture, Transformer, sinusoids

SIZES = Architecture(vocabulary=40, width=16, ffn=32, layers=2, heads=4)
NORMS = pytest.mark.parametrize("pre_norm", [True, False], ids=["pre-norm", "post-norm"])


def model_of(sizes=SIZES, seed=0):
    with seeded(Stream(seed)):
        model = Transformer(sizes)
        for parameter in model.parameters():  # biases and norms too, so that none of them is without effect
            torch.nn.init.normal_(parameter, std=0.3)
    return model


def sentences(count, shortest=2, longest=9, vocabulary=40, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return [[*rng.integers(SPECIAL, vocabulary, length).tolist(), EOS] for length in lengths]


def batch_of(sources, targets):
    return Batch.of(padded(sources), padded([[EOS, *ids[:-1]] for ids in targets]), padded(targets))


def noise(seed=0, **rates):
    return Noise(Dropouts(**rates), torch.Generator().manual_seed(seed))


def slow_scores(model, source, said):
    """Log probabilities of the id after ``said``, from a whole pass over it."""
    with torch.no_grad():
        logits = model(torch.tensor([source]), torch.tensor([said]))[0, -1]
    scores = logits.log_softmax(-1)
    scores[PAD] = -math.inf
    if len(said) == 1:
        scores[EOS] = -math.inf
    return scores


def slow_beam(model, source, search):
    """Beam search over lists, each step a whole pass: a reading of fairseq's rules."""
    cap = math.floor(search.ratio * len(source) + search.extra)
    going, ended = [(0.0, [EOS])], []
    while len(ended) < search.beam:
        candidates = []
        for score, said in going:
            scores = slow_scores(model, source, said)
            for index in [EOS] if len(said) > cap else range(model.sizes.vocabulary):
                candidates.append((score + float(scores[index]), [*said, index]))
        candidates.sort(key=lambda candidate: -candidate[0])
        candidates = candidates[: 2 * search.beam]
        for score, said in candidates[: search.beam]:
            if said[-1] == EOS and math.isfinite(score):
                ended.append((score / (len(said) - 1) ** search.length_penalty, said[1:-1]))
        going = [candidate for candidate in candidates if candidate[1][-1] != EOS][: search.beam]
        if not going:
            break
    return max(ended, key=lambda hypothesis: hypothesis[0])[1]


@NORMS
def test_attention_is_the_formula_of_the_paper(pre_norm):
    """softmax(Q K' / sqrt(d)) V in each head, written with loops."""
    attention = model_of(replace(SIZES, pre_norm=pre_norm)).encoder[0].attention
    x = torch.randn(2, 5, 16, generator=torch.manual_seed(0))
    layout = Layout(2, 5)
    query, key, value = attention.project(x.flatten(0, 1), layout)
    found = layout.padded(attention.attend(query, (key, value), layout))
    q, k, v = (attention.inputs(x)[..., begin : begin + 16] for begin in (0, 16, 32))
    heads = []
    for head in range(4):
        part = slice(4 * head, 4 * head + 4)
        weights = torch.softmax(q[..., part] @ k[..., part].mT / math.sqrt(4), -1)
        heads.append(weights @ v[..., part])
    torch.testing.assert_close(found, attention.output(torch.cat(heads, -1)))


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


@NORMS
def test_cached_decoding_equals_uncached_decoding(pre_norm):
    """Greedy with kept keys and values says what a whole pass over each beginning of the sentence says."""
    model = model_of(replace(SIZES, pre_norm=pre_norm))
    sources, search = sentences(12), Search(rows=5)
    for source, found in zip(sources, translate(model, sources, search), strict=True):
        said, cap = [EOS], math.floor(1.2 * len(source) + 8)
        while len(said) <= cap:
            said.append(int(slow_scores(model, source, said).argmax()))
            if said[-1] == EOS:
                break
        assert found == said[1 : None if said[-1] != EOS else -1]


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
    found = translate(model, sources, Search(beam, ratio=0.5, extra=2))
    assert [len(ids) for ids in found] == [math.floor(0.5 * len(source) + 2) for source in sources]
    model.decoder_norm.bias.data = likely
    ended = translate(model, sources, Search(beam))
    assert {len(ids) for ids in ended} == {1}
    assert not {EOS, PAD} & {index for ids in found + ended for index in ids}


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


def test_an_unknown_backend_is_named():
    """With those that there are."""
    with pytest.raises(ConfigError, match=r"backend = 'jax' must be one of \['fairseq', 'torch'\]"):
        translator("jax", SIZES)


BATCHES = [batch_of(sentences(6, seed=seed), sentences(6, seed=seed + 100)) for seed in range(4)]
RATES = Dropouts(0.1, 0.1, 0.1)


def weights(state):
    return torch.cat([parameter.detach().flatten() for parameter in state.model.parameters()])


def test_training_is_determined_by_its_seeds():
    """Equal seeds give equal bits; another seed for the weights or for the masks gives others."""
    member = TorchTranslator(SIZES)

    def trained(init, step):
        return weights(member.train(member.init(Stream(init)), BATCHES, 1e-2, RATES, Stream(step)))

    assert torch.equal(trained(0, 1), trained(0, 1))
    assert not torch.equal(trained(0, 1), trained(0, 2))
    assert not torch.equal(trained(0, 1), trained(3, 1))


def test_a_saved_member_continues_exactly(tmp_path):
    """Through a file, before the first step and after some; with the same loss, weights and translations."""
    member = TorchTranslator(SIZES)
    state, store = member.init(Stream(0)), Store(tmp_path)
    for step in range(3):
        reference = store.save(0, step, member.save(state), {})
        again = member.load(store.load(reference))
        assert again.loss == state.loss or math.isnan(state.loss)
        state, again = (member.train(one, BATCHES, 1e-2, RATES, Stream(step)) for one in (state, again))
        assert again.loss == state.loss
        assert torch.equal(weights(again), weights(state))
    assert member.translate(again, sentences(5), beam=2) == member.translate(state, sentences(5), beam=2)


def test_a_checkpoint_does_not_follow_further_training():
    """It is a copy."""
    member = TorchTranslator(SIZES)
    state = member.train(member.init(Stream(0)), BATCHES, 1e-2, RATES, Stream(1))
    checkpoint = member.save(state)
    before = {name: array.copy() for name, array in checkpoint.tensors.items()}
    member.train(state, BATCHES, 1e-2, RATES, Stream(2))
    assert all(np.array_equal(array, before[name]) for name, array in checkpoint.tensors.items())


def test_the_given_learning_rate_rules_over_a_loaded_optimiser():
    """A member that copies a donor's optimiser goes on with its own rate: at 0 the weights stay."""
    member = TorchTranslator(SIZES)
    donor = member.train(member.init(Stream(0)), BATCHES, 1e-1, RATES, Stream(1))
    state = member.load(member.save(donor))
    member.train(state, BATCHES, 0.0, RATES, Stream(2))
    assert torch.equal(weights(state), weights(donor))


def test_the_first_step_is_that_of_adam():
    """Each weight moves by the learning rate against the sign of its gradient; the loss is that of a target token."""
    member = TorchTranslator(SIZES)
    state = member.init(Stream(0))
    before, batch = weights(state), BATCHES[0]
    loss = state.model.loss(batch, 0.1) / batch.tokens
    gradient = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(state.model.parameters()))])
    member.train(state, [batch], 1e-3, Dropouts(), Stream(0))
    assert state.loss == pytest.approx(float(loss.detach()))
    large = gradient.abs() > 1e-6
    torch.testing.assert_close((weights(state) - before)[large], -1e-3 * gradient[large].sign(), atol=1e-5, rtol=0.02)


def test_clipping_bounds_the_gradient():
    """Adam's first moment after one step is a tenth of a gradient whose norm is the bound."""
    member = TorchTranslator(SIZES, clip=0.01)
    state = member.train(member.init(Stream(0)), BATCHES[:1], 1e-3, Dropouts(), Stream(0))
    moments = torch.cat([slots["exp_avg"].flatten() for slots in state.optimizer.state.values()])
    assert float(moments.norm()) == pytest.approx(0.1 * 0.01, rel=1e-3)


def test_a_diverged_member_is_told_by_its_loss_and_stays_finite():
    """Training stops before the step that would spoil the weights, so the member can still be evaluated and saved."""
    member = TorchTranslator(SIZES)
    state = member.train(member.init(Stream(0)), BATCHES * 20, 1e30, Dropouts(), Stream(0))
    assert math.isnan(state.loss)
    assert weights(state).isfinite().all()
    checkpoint = member.save(state)
    assert math.isnan(member.load(Checkpoint(checkpoint.tensors, {**checkpoint.json, "loss": "nan"})).loss)


def test_a_translator_can_be_sent_to_a_worker():
    """It is settings alone."""
    member = TorchTranslator(SIZES, search=Search(extra=3))
    assert pickle.loads(pickle.dumps(member)) == member  # noqa: S301 (our own bytes)


def test_bfloat16_changes_the_arithmetic_and_not_the_weights_kind():
    """About the same loss and translations that are sentences; weights and optimiser stay float32."""
    losses = {}
    for precision in ("float32", "bfloat16"):
        member = TorchTranslator(SIZES, precision=precision)
        state = member.train(member.init(Stream(0)), BATCHES, 1e-2, RATES, Stream(1))
        losses[precision] = state.loss
        assert {array.dtype for array in member.save(state).tensors.values()} == {np.dtype("float32")}
        assert all(member.translate(state, sentences(5), beam=2))
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.02)


def test_a_tiny_model_learns_to_reverse_a_sentence():
    """Sentences that were never trained on come out backwards, greedily and with a beam."""
    sizes = Architecture(vocabulary=14, width=32, ffn=64, layers=1, heads=4)
    member = TorchTranslator(sizes)

    def reversed_of(sources):
        return [[*ids[-2::-1], EOS] for ids in sources]

    state = member.init(Stream(0))
    for step in range(5):
        given = [sentences(64, 2, 6, 14, seed=100 * step + number) for number in range(80)]
        pairs = [batch_of(sources, reversed_of(sources)) for sources in given]
        state = member.train(state, pairs, 4e-3 if step < 4 else 5e-4, Dropouts(), Stream(step))
    asked = sentences(50, 2, 6, 14, seed=10_000)
    expected = [ids[:-1] for ids in reversed_of(asked)]
    for beam in (1, 3):
        found = member.translate(state, asked, beam)
        assert sum(ids == wanted for ids, wanted in zip(found, expected, strict=True)) >= 47


@pytest.mark.parametrize("beam", [1, 3])
def test_a_broken_model_still_comes_to_an_end(beam):
    """Scores that are not numbers are no error: whatever is said ends at the cap."""
    model, sources = model_of(), sentences(7)
    model.decoder_norm.bias.data[:] = math.nan
    found = translate(model, sources, Search(beam))
    assert all(len(ids) <= math.floor(1.2 * len(source) + 8) for source, ids in zip(sources, found, strict=True))
