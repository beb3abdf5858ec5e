"""fairseq as a backend, and our Transformer against it: given the same weights, the two are one function."""

import importlib.util
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from fairseq_weights import weights_from_fairseq, weights_to_fairseq

from pbt_core import Stream
from pbt_core.store import Store
from reproductions.suite.study.registry import ConfigError
from reproductions.translation import fairseq_model
from reproductions.translation.decoding import Search
from reproductions.translation.dropout import Dropouts
from reproductions.translation.ids import EOS, PAD, SPECIAL
from reproductions.translation.padding import Batch, padded
from reproductions.translation.trainer import TorchTranslator, translator
from reproductions.translation.transformer import Architecture

SIZES = Architecture(vocabulary=60, width=32, ffn=64, layers=2, heads=4)
NORMS = pytest.mark.parametrize("pre_norm", [True, False], ids=["pre-norm", "post-norm"])
needs_fairseq = pytest.mark.skipif(
    importlib.util.find_spec("fairseq") is None,
    reason="fairseq is not installed: it is the extra of this name",
)
#: Of torch, at fairseq's model called directly; the translator keeps it inside.
mismatched_masks = pytest.mark.filterwarnings("ignore:Support for mismatched key_padding_mask")


def sentences(count, shortest=2, longest=9, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(shortest, longest + 1, count)
    return [[*rng.integers(SPECIAL, SIZES.vocabulary, length).tolist(), EOS] for length in lengths]


def batch_of(seed):
    targets = sentences(8, seed=seed + 100)
    return Batch.of(padded(sentences(8, seed=seed)), padded([[EOS, *ids[:-1]] for ids in targets]), padded(targets))


BATCHES = [batch_of(seed) for seed in range(4)]
RATES = Dropouts(0.1, 0.1, 0.1)


def pair(pre_norm=True, steps=0, **settings):
    """A member of each backend with the same weights, drawn and for ``steps`` trained by fairseq."""
    sizes = replace(SIZES, pre_norm=pre_norm)
    theirs, ours = translator("fairseq", sizes, **settings), TorchTranslator(sizes, **settings)
    their_state, our_state = theirs.init(Stream(0)), ours.init(Stream(1))
    for step in range(steps):
        theirs.train(their_state, BATCHES, 3e-3, Dropouts(), Stream(step))
    our_state.model.load_state_dict(weights_from_fairseq(their_state.model.state_dict()))
    return theirs, their_state, ours, our_state


def weights(state):
    return torch.cat([parameter.detach().flatten() for parameter in state.model.parameters()])


def test_a_missing_fairseq_is_one_clear_line(monkeypatch):
    """What to install, and nothing else."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"^backend = 'fairseq' needs .*: pip install -c constraints.txt -e '.\[fairseq\]'$"
    ):
        translator("fairseq", SIZES)


@needs_fairseq
@mismatched_masks
@NORMS
def test_the_two_agree_on_a_batch(pre_norm):
    """Logits, loss and the gradients of every weight, from the same weights."""
    _, theirs, _, ours = pair(pre_norm)
    batch, is_token = BATCHES[0], BATCHES[0].target != PAD
    sample = fairseq_model.sample(batch)
    logits = theirs.model.eval()(**sample["net_input"])[0]
    torch.testing.assert_close(ours.model(batch.source, batch.previous)[is_token], logits[is_token], atol=1e-5, rtol=0)

    loss, tokens, _ = theirs.trainer.criterion(theirs.model, sample)
    our_loss = ours.model.loss(batch, 0.1)
    assert tokens == batch.tokens
    torch.testing.assert_close(our_loss, loss)

    loss.backward()
    our_loss.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.model.named_parameters(remove_duplicate=False)}
    for name, gradient in weights_from_fairseq(gradients).items():
        torch.testing.assert_close(ours.model.get_parameter(name).grad, gradient, atol=1e-4, rtol=1e-4)


@needs_fairseq
@NORMS
def test_weights_go_to_fairseq_and_back(pre_norm):
    """Every one of them, bit for bit, under exactly the names that fairseq loads."""
    _, theirs, _, ours = pair(pre_norm)
    mine = {name: torch.randn(value.shape) for name, value in ours.model.state_dict().items()}
    theirs.model.load_state_dict(weights_to_fairseq(mine))
    back = weights_from_fairseq(theirs.model.state_dict())
    assert back.keys() == mine.keys()
    assert all(torch.equal(back[name], value) for name, value in mine.items())


@needs_fairseq
@NORMS
@pytest.mark.parametrize(("beam", "length_penalty"), [(1, 1.0), (4, 1.0), (4, 0.6)])
def test_the_two_translate_alike(pre_norm, beam, length_penalty):
    """Sources of one length, for which fairseq's cap and ours are the same; trained and untrained."""
    for steps in (0, 10):
        search = Search(length_penalty=length_penalty)
        theirs, their_state, ours, our_state = pair(pre_norm, steps, search=search)
        sources = sentences(30, 6, 6)
        expected = theirs.translate(their_state, sources, beam)
        assert ours.translate(our_state, sources, beam) == expected
        if not steps:
            assert len(max(expected, key=len)) == 16, "an untrained one runs into the cap: 1.2 x 7 + 8"
    assert len({len(ids) for ids in expected}) > 1


@needs_fairseq
@NORMS
def test_the_two_train_alike(pre_norm):
    """Without dropout, four steps from the same weights end at about the same weights and loss, clipped or not."""
    for clip in (0.0, 0.5):
        theirs, their_state, ours, our_state = pair(pre_norm, clip=clip)
        before = weights(our_state)
        theirs.train(their_state, BATCHES, 1e-3, Dropouts(), Stream(0))
        ours.train(our_state, BATCHES, 1e-3, Dropouts(), Stream(0))
        assert our_state.loss == pytest.approx(their_state.loss, rel=1e-3)  # fairseq rounds what it reports
        expected = weights_from_fairseq(their_state.model.state_dict())
        after = torch.cat([expected[name].flatten() for name, _ in our_state.model.named_parameters()])
        assert (weights(our_state) - after).abs().mean() < 0.01 * (after - before).abs().mean()


@needs_fairseq
def test_each_dropout_reaches_its_modules_and_changes_live():
    """Attention: one a block of attention; ReLU: one a layer; layer: the rest. Zero of all is deterministic."""
    member = translator("fairseq", SIZES)
    state = member.init(Stream(0))
    fairseq_model.set_dropouts(state.model, Dropouts(0.1, 0.2, 0.3))
    rates = [module.p for module in state.model.modules() if type(module).__name__ == "FairseqDropout"]
    assert {rate: rates.count(rate) for rate in rates} == {0.1: 6, 0.2: 6, 0.3: 4}

    def trained(dropouts, seed):
        state = member.init(Stream(0))
        member.train(state, BATCHES, 1e-3, Dropouts(0.5), Stream(0))
        return weights(member.train(state, BATCHES, 1e-3, dropouts, Stream(seed)))

    assert torch.equal(trained(Dropouts(), 1), trained(Dropouts(), 2))
    for name in ("attention", "layer", "relu"):
        assert not torch.equal(trained(Dropouts(**{name: 0.3}), 1), trained(Dropouts(**{name: 0.3}), 2))


@needs_fairseq
def test_fairseq_is_determined_by_its_seeds_and_leaves_the_global_generator():
    """Equal seeds give equal bits, another gives others, and whoever draws next draws what they would have drawn."""
    member = translator("fairseq", SIZES)
    before = torch.get_rng_state()

    def trained(init, step):
        return weights(member.train(member.init(Stream(init)), BATCHES, 1e-2, RATES, Stream(step)))

    assert torch.equal(trained(0, 1), trained(0, 1))
    assert not torch.equal(trained(0, 1), trained(0, 2))
    assert not torch.equal(trained(0, 1), trained(3, 1))
    assert torch.equal(torch.get_rng_state(), before)


@needs_fairseq
def test_a_saved_fairseq_member_continues_exactly(tmp_path):
    """Through a file, before the first step and after some."""
    member = translator("fairseq", SIZES)
    state, store = member.init(Stream(0)), Store(tmp_path)
    for step in range(3):
        reference = store.save(0, step, member.save(state), {})
        again = member.load(store.load(reference))
        for one in (state, again):
            member.train(one, BATCHES, 1e-2, RATES, Stream(step))
        assert again.loss == state.loss
        assert torch.equal(weights(again), weights(state))
    assert member.translate(again, sentences(5), beam=2) == member.translate(state, sentences(5), beam=2)


@needs_fairseq
def test_the_given_learning_rate_rules_over_a_loaded_fairseq_optimiser():
    """Also from the second step on, when fairseq's schedule has had its say: at 0 the weights stay."""
    member = translator("fairseq", SIZES)
    donor = member.train(member.init(Stream(0)), BATCHES, 1e-1, RATES, Stream(1))
    state = member.load(member.save(donor))
    member.train(state, BATCHES, 0.0, RATES, Stream(2))
    assert torch.equal(weights(state), weights(donor))


@needs_fairseq
def test_a_diverged_fairseq_member_is_told_by_its_loss_and_writes_nothing(tmp_path, monkeypatch):
    """fairseq would write a pickle into the working directory and raise; weights stay finite."""
    monkeypatch.chdir(tmp_path)
    member = translator("fairseq", SIZES)
    state = member.train(member.init(Stream(0)), BATCHES * 20, 1e30, Dropouts(), Stream(0))
    assert math.isnan(state.loss)
    assert weights(state).isfinite().all()
    assert not list(tmp_path.iterdir())


@needs_fairseq
@pytest.mark.parametrize("beam", [1, 3])
def test_a_broken_fairseq_model_says_nothing(beam):
    """Scores that are not numbers are no error: the member is to be named diverged, not failed."""
    member = translator("fairseq", SIZES)
    state = member.init(Stream(0))
    state.model.decoder.layer_norm.bias.data[:] = math.nan
    assert member.translate(state, sentences(3), beam) == [[], [], []]


@needs_fairseq
def test_nothing_of_fairseq_leaks_into_the_process():
    """Warnings as errors, nothing printed, logging and meters as they were."""
    script = """
import logging, sys
from pbt_core import Stream
from reproductions.translation.dropout import Dropouts
from reproductions.translation.trainer import translator
from reproductions.translation.padding import Batch
from reproductions.translation.transformer import Architecture
member = translator("fairseq", Architecture(20, 8, 16, 1, 2))
assert "fairseq" not in sys.modules
state = member.init(Stream(0))
member.train(state, [Batch.of([[5, 6, 2], [7, 2, 1]], [[2, 5], [2, 1]], [[5, 2], [2, 1]])], 0.1, Dropouts(0.1), Stream(1))
member.translate(state, [[5, 2]], 2)
root = logging.getLogger()
assert (root.handlers, root.level, root.manager.disable) == ([], logging.WARNING, 0)
from fairseq.logging import metrics
assert not metrics.get_smoothed_values("default")
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
