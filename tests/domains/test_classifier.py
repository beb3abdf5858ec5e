"""The classifier: the task of the ablation studies."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from pbt_core import Checkpoint, Lineage, Processes, Serial, Stream
from pbt_core.lineage import retrace
from pbt_core.store import digest
from pbt_core.testing import check_population
from reproductions.classifier.network import Network, train
from reproductions.classifier.task import TEST, TRAIN, Classifier, pooled
from reproductions.shared.images import fashion_mnist
from reproductions.suite.cli import main
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import resolve

GOOD = {"lr": 0.02, "one_minus_momentum": 0.1, "weight_decay": 1e-4, "dropout": 0.0}


@pytest.fixture(scope="module")
def smoke() -> Classifier:
    settings = resolve("classifier", "pbt", scale="smoke")
    task = settings.build_task()
    task.prepare(settings.plan())
    return task


@pytest.fixture(scope="module")
def laptop() -> Classifier:
    settings = resolve("classifier", "pbt")
    task = settings.build_task()
    task.prepare(settings.plan())
    return task


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_serial_and_processes_agree_to_the_last_bit_and_the_lineage_replays(smoke, tmp_path):
    """Scores, weights' checksums and the retraced weights of the best member."""
    settings = resolve("classifier", "pbt", scale="smoke", seed=3)
    plan, method = settings.plan(), settings.build_method()
    runs = [e.run(smoke, method, plan, tmp_path / str(i)) for i, e in enumerate((Serial(), Processes(workers=2)))]
    assert runs[0].events == runs[1].events
    again = retrace(smoke, Lineage(runs[0].events).schedule(), seed=3)
    assert digest(smoke.save(again)) == digest(smoke.save(runs[1].state(smoke)))


def test_the_images_that_train_select_and_are_reported_are_different_ones(laptop):
    """The real sets, cut as the settings say; no image is in two of them, bit for bit."""
    sets, real = laptop._sets(), fashion_mnist.read(Path(laptop.data))
    sizes = [laptop.train, laptop.select, laptop.test]
    trained, selecting, reported = (set(map(bytes, part.numpy())) for part in sets.images.split(sizes))
    assert not trained & selecting
    assert not (trained | selecting) & reported
    ends = slice(0, laptop.train), slice(TRAIN - laptop.select, TRAIN)
    labels = [*(real.train_labels[end] for end in ends), real.test_labels[: laptop.test]]
    for ours, theirs in zip(sets.labels.split(sizes), labels, strict=True):
        assert ours.tolist() == theirs.tolist()
        # No set is of some classes more than of others: a tenth each, give or take a fifth of it.
        assert torch.bincount(ours).div(len(ours) / 10).sub(1).abs().max() < 0.2
    assert sets.targets.argmax(1).tolist() == sets.labels[: laptop.train].tolist()


def test_pooling_averages_squares_and_keeps_about_zero_mean(laptop):
    """A pixel of 14x14 is the mean of four neighbours; the training images have about unit deviation."""
    images = fashion_mnist.read(Path(laptop.data)).train_images[:50]
    small, large = pooled(images, 2).view(-1, 14, 14), pooled(images, 1).view(-1, 28, 28)
    assert torch.allclose(small[:, 3, 5], large[:, 6:8, 10:12].mean((1, 2)), atol=1e-5)
    trained = laptop._sets().images[: laptop.train]
    assert abs(trained.mean()) < 0.05
    assert 0.8 < trained.std() < 1.1


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_training_is_that_of_autograd_and_torchs_sgd(dropout):
    """Ten steps with momentum, weight decay and the same dropped units: the written-out gradient is the right one."""
    count, inputs, hidden, batch, steps = 40, 6, 5, 8, 10
    images, labels = torch.randn(count, inputs, generator=rng(1)), torch.randint(10, (count,), generator=rng(2))
    batches = torch.randint(count, (steps, batch), generator=rng(3))
    network = Network(inputs, hidden).initialise(rng(4))
    w1, b1, w2, b2 = (part.clone().requires_grad_() for part in network.layers(network.weights))
    sgd = torch.optim.SGD([w1, b1, w2, b2], lr=0.1, momentum=0.8, weight_decay=0.01)

    drawn = torch.rand(steps, batch, hidden, generator=rng(5))
    for index, draw in zip(batches, drawn, strict=True):
        kept = (draw >= dropout).float() / (1 - dropout)
        logits = torch.relu(images[index] @ w1 + b1) * kept @ w2 + b2
        sgd.zero_grad()
        nn.functional.cross_entropy(logits, labels[index]).backward()
        sgd.step()

    targets = nn.functional.one_hot(labels, 10).float()
    train(network, images, targets, batches, rng(5), lr=0.1, momentum=0.8, weight_decay=0.01, dropout=dropout)
    for ours, theirs in zip(network.layers(network.weights), (w1, b1, w2, b2), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-6)


def test_the_population_form_trains_each_member_as_it_trains_alone(smoke):
    """Every member with its own draws and hyperparameters, up to rounding; intervals of more than one block."""
    check_population(smoke, steps=120, members=5)


def test_the_whole_suite_runs_it_as_one_program(tmp_path, capsys):
    """By its engine; the numerics say so, and hold a resumption to it."""
    run = ["run", "classifier", "pbt", "--scale", "smoke", "--quiet", "--out", str(tmp_path)]
    assert main([*run, "--engine", "batched"]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["numerics"]["form"] == "batched"
    assert main([*run, "--engine", "serial"]) == 2
    assert "form was 'batched' and is 'member'" in capsys.readouterr().err


def test_a_learning_rate_of_zero_after_a_clone_leaves_the_weights_alone(smoke):
    """Whatever rate the parent trained with: only the momentum goes on."""
    parent = smoke.step(smoke.init(Stream(0), GOOD), GOOD, 10, Stream(1))
    still = {**GOOD, "lr": 0.0}
    child = smoke.load(smoke.save(parent), still)
    smoke.step(child, still, 5, Stream(2))
    assert torch.equal(child.weights, parent.weights)
    assert not torch.equal(child.velocity, parent.velocity)


def test_a_checkpoint_is_not_changed_by_the_training_that_begins_from_it(smoke):
    """Two children of one parent begin equal."""
    saved = smoke.save(smoke.init(Stream(0), GOOD))
    before = saved.tensors["weights"].copy()
    smoke.step(smoke.load(saved, GOOD), GOOD, 5, Stream(1))
    assert (saved.tensors["weights"] == before).all()


def test_dropout_is_for_training_only(smoke):
    """Evaluating twice, from other streams, gives the same score: nothing is dropped and nothing drawn."""
    dropping = {**GOOD, "dropout": 0.8}
    state = smoke.step(smoke.init(Stream(0), dropping), dropping, 20, Stream(1))
    assert smoke.evaluate(state, Stream(2)) == smoke.evaluate(state, Stream(3))


def test_the_classifier_learns_within_a_second(laptop):
    """Laptop settings, 300 steps: from chance to above 70 % on images that it was neither trained on nor selected by."""
    state = laptop.init(Stream(1000), GOOD)
    before = laptop.evaluate(state, Stream(0))
    after = laptop.evaluate(laptop.step(state, GOOD, 300, Stream(1001)), Stream(0))
    assert before.held_out < 30
    assert after.value > 70
    assert after.held_out > 70
    assert after.metrics["loss"] < before.metrics["loss"]


def test_a_classifier_with_weights_that_are_no_numbers_has_a_score_that_says_so(smoke):
    """A diverged member must be seen as one, although the largest of ten NaN has an index too."""
    saved = smoke.save(smoke.init(Stream(0), GOOD))
    broken = Checkpoint({name: array * math.nan for name, array in saved.tensors.items()})
    score = smoke.evaluate(smoke.load(broken, GOOD), Stream(0))
    assert math.isnan(score.value)
    assert math.isnan(score.held_out)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"train": 59_000, "select": 2000}, r"task.train \+ task.select = 59000 \+ 2000 must be at most 60000"),
        ({"test": TEST + 1}, "task.test = 10001 must be at most 10000"),
        ({"pool": 3}, "task.pool = 3 must divide 28"),
        ({"batch": 0}, "task.batch = 0 must be at least 1"),
    ],
)
def test_sizes_that_the_data_cannot_fill_are_refused_before_any_work(sizes, words):
    """Sets that would share images among them."""
    plan = resolve("classifier", "pbt").plan()
    with pytest.raises(ConfigError, match=words):
        Classifier(**sizes).prepare(plan)


def test_all_test_images_are_reported_in_the_end_however_few_were_held_out(smoke, laptop):
    """Whatever the sizes of the other sets; weights whose training broke down have no score."""
    state = laptop.init(Stream(0), GOOD)
    data = fashion_mnist.read(Path("data"))
    right = state.logits(pooled(data.test_images, laptop.pool)).argmax(1).numpy() == data.test_labels
    assert laptop.report(state, Stream(1)).value == pytest.approx(100 * right.mean())
    broken = smoke.init(Stream(0), GOOD)
    broken.weights.fill_(math.inf)
    assert math.isnan(smoke.report(broken, Stream(1)).value)
