"""Members that translate: their training, what is saved of them, what is refused."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from translating import SIZES, batch_of, sentences

from pbt_core import Checkpoint, Stream
from pbt_core.store import Store
from reproductions.suite.study.registry import ConfigError
from reproductions.translation.decoding import Search
from reproductions.translation.dropout import Dropouts
from reproductions.translation.ids import EOS
from reproductions.translation.trainer import TorchTranslator, translator
from reproductions.translation.transformer import Architecture


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
    assert pickle.dumps(member)
    assert copy.deepcopy(member) == member  # by the protocol that pickle uses


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
        source_batches = [sentences(64, 2, 6, 14, seed=100 * step + number) for number in range(80)]
        pairs = [batch_of(sources, reversed_of(sources)) for sources in source_batches]
        state = member.train(state, pairs, 4e-3 if step < 4 else 5e-4, Dropouts(), Stream(step))
    asked = sentences(50, 2, 6, 14, seed=10_000)
    expected = [ids[:-1] for ids in reversed_of(asked)]
    for beam in (1, 3):
        translations = member.translate(state, asked, beam)
        assert sum(ids == wanted for ids, wanted in zip(translations, expected, strict=True)) >= 47
