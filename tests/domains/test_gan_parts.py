"""The parts of the GAN domain: data, networks, classifier, metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reproductions.gan import arithmetic, classifier, data, metrics, networks
from reproductions.shared.assets import DataError
from reproductions.shared.images import cifar10
from reproductions.shared.torchvision_compat import import_torchvision

TINY = {"size": 28, "channels": 1, "width": 2, "latent": 8}
Bits = dict[str, Tensor]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Bit-for-bit claims hold for one thread, which is how members run."""
    with classifier.threads(1):
        yield


@pytest.fixture
def images() -> Tensor:
    return torch.randint(256, (64, 1, 28, 28), generator=rng(1), dtype=torch.uint8)


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def trained(images: Tensor, calls: list[int], loss: networks.Loss = "wgan_gp", lr: float = 1e-3) -> Bits:
    """The state after one call of ``train_steps`` for each number of steps in ``calls``."""
    source = rng(3)
    state = networks.initialise(source, **TINY)
    for steps in calls:
        networks.train_steps(state, images, lr, lr, steps, source, loss, d_steps=2, batch=8)
    return {name: tensor.clone() for name, tensor in networks.to_tensors(state).items()}


def same(a: Bits, b: Bits) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_an_unknown_data_set_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    """A misspelt name is answered by the list of names."""
    with pytest.raises(ValueError, match="'mnist' must be one of fashion_mnist, cifar10"):
        data.load("mnist", tmp_path)


def test_cifar_images_come_with_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images uint8 [N, C, H, W] and labels int64 [N], as of every data set."""
    images = np.zeros((5, 3, 32, 32), np.uint8)
    images[:, 1] = 7
    labels = np.full((5, 2), 3, np.uint8)[:, 0]
    monkeypatch.setattr(cifar10, "fetch", lambda root: None)
    monkeypatch.setattr(cifar10, "read", lambda root: (images, labels, images[:2], labels[:2]))
    dataset = data.load("cifar10", tmp_path)
    assert dataset.train_images.shape == (5, 3, 32, 32)
    assert dataset.test_images.shape == (2, 3, 32, 32)
    assert (dataset.test_images[:, 1] == 7).all()
    assert dataset.train_labels.tolist() == [3] * 5
    assert dataset.train_labels.dtype == torch.int64


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (32, 3)])
def test_networks_fit_the_images_of_both_data_sets(size: int, channels: int) -> None:
    """The generator makes images in -1..1 of the right shape and the discriminator gives each a number."""
    state = networks.initialise(rng(0), size, channels, width=2, latent=8)
    made = networks.sample(state.generator, 6, rng(1), batch=3)
    assert made.shape == (6, channels, size, size)
    assert made.dtype == torch.float32
    assert made.abs().max() <= 1
    assert state.discriminator(made).shape == (6,)


@pytest.mark.parametrize("loss", ["wgan_gp", "bce"])
def test_gradients_of_both_losses_reach_every_weight(loss: networks.Loss) -> None:
    """No weight of either network is cut off from its loss."""
    state = networks.initialise(rng(0), **TINY)
    real = torch.rand(8, 1, 28, 28, generator=rng(1)) * 2 - 1
    fake = state.generator(torch.randn(8, 8, generator=rng(2)))
    networks.discriminator_loss(loss, state.discriminator, real, fake.detach(), rng(4)).backward()
    last = list(state.discriminator.parameters())[-1]
    for name, weight in state.discriminator.named_parameters():
        assert weight.grad is not None, name
        # A constant added to the critic's value changes neither of WGAN-GP's terms.
        assert weight.grad.abs().sum() > 0 or (loss == "wgan_gp" and weight is last), name
    networks.generator_loss(loss, state.discriminator(fake)).backward()
    for name, weight in state.generator.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name


def test_gradient_penalty_of_a_linear_critic_is_its_norms_distance_from_one() -> None:
    """A linear critic's gradient is its weight: the penalty is (norm - 1)^2, so 0 for a unit norm."""
    linear = nn.Linear(16, 1)
    critic = nn.Sequential(nn.Flatten(), linear)
    real, fake = torch.randn(2, 5, 1, 4, 4, generator=rng(0))
    for norm in (1.0, 3.0):
        with torch.no_grad():
            linear.weight.copy_(torch.full((1, 16), norm / 4))
        assert networks.gradient_penalty(critic, real, fake, rng(1)).item() == pytest.approx((norm - 1) ** 2, abs=1e-6)


def test_losses_have_their_closed_forms_for_an_undecided_discriminator() -> None:
    """An undecided discriminator costs 2 log 2 by cross-entropy, a flat critic the full penalty weight."""
    linear = nn.Linear(16, 1)
    nn.init.zeros_(linear.weight)
    nn.init.zeros_(linear.bias)
    critic = nn.Sequential(nn.Flatten(), linear, nn.Flatten(0))
    real, fake = torch.randn(2, 5, 1, 4, 4, generator=rng(0))
    bce = networks.discriminator_loss("bce", critic, real, fake, rng(1)).item()
    assert bce == pytest.approx(2 * np.log(2), rel=1e-6)
    wgan = networks.discriminator_loss("wgan_gp", critic, real, fake, rng(1)).item()
    assert wgan == pytest.approx(networks.GP_WEIGHT, rel=1e-6)
    assert networks.generator_loss("bce", torch.zeros(5)).item() == pytest.approx(np.log(2), rel=1e-6)


@pytest.mark.parametrize("loss", ["wgan_gp", "bce"])
def test_training_is_the_same_bit_for_bit_whatever_the_global_generator(images: Tensor, loss: networks.Loss) -> None:
    """The same state and generator give the same weights and moments; the global generator is not touched."""
    with torch.random.fork_rng(devices=[]):
        before = torch.random.get_rng_state()
        first = trained(images, [3], loss)
        assert torch.equal(torch.random.get_rng_state(), before)
        torch.rand(1)
        assert same(first, trained(images, [3], loss))


def test_many_short_calls_train_like_one_long_call(images: Tensor) -> None:
    """A step sees the weights of the step before it, whether or not a call ended in between."""
    assert same(trained(images, [4]), trained(images, [1, 1, 1, 1]))


def test_training_goes_on_from_saved_tensors_as_if_never_interrupted(images: Tensor) -> None:
    """A state written to tensors and read into a fresh one continues with the same bits."""
    whole = trained(images, [2, 2])
    source = rng(3)
    state = networks.initialise(source, **TINY)
    networks.train_steps(state, images, 1e-3, 1e-3, 2, source, d_steps=2, batch=8)
    saved = {name: tensor.numpy().copy() for name, tensor in networks.to_tensors(state).items()}
    fresh = networks.initialise(rng(99), **TINY)
    networks.from_tensors(fresh, {name: torch.from_numpy(array) for name, array in saved.items()})
    networks.train_steps(fresh, images, 1e-3, 1e-3, 2, source, d_steps=2, batch=8)
    assert same(whole, networks.to_tensors(fresh))


def test_learning_rates_of_the_call_rule_over_those_of_the_optimiser(images: Tensor) -> None:
    """A rate of 0 leaves the weights alone although the optimiser was last used with another."""
    source = rng(3)
    state = networks.initialise(source, **TINY)
    networks.train_steps(state, images, 1e-2, 1e-2, 1, source, batch=8)
    before = {name: tensor.clone() for name, tensor in networks.to_tensors(state).items()}
    networks.train_steps(state, images, lr_d=0.0, lr_g=1e-2, steps=1, rng=source, batch=8)
    after = networks.to_tensors(state)
    weights = [name for name in after if "|" not in name]
    moved = {name for name in weights if not torch.equal(before[name], after[name])}
    assert moved == {name for name in weights if name.startswith("generator")}


def test_inception_score_is_the_number_of_classes_for_certain_and_even_labels() -> None:
    """One-hot predictions spread evenly over 10 classes score 10, the same prediction for all scores 1."""
    # In one part all classes are equally frequent; in shuffled parts they would be so only on average.
    certain = torch.eye(10).repeat(20, 1) * 1e4
    assert metrics.inception_score(certain, rng_seed=0, splits=1) == pytest.approx((10, 0), abs=1e-9)
    assert metrics.inception_score(torch.ones(200, 10), rng_seed=0) == pytest.approx((1, 0), abs=1e-9)


def test_scores_of_a_diverged_generator_are_not_a_number() -> None:
    """One non-finite output makes both scores nan, which is how a diverged member is told."""
    broken = torch.zeros(20, 10)
    broken[3, 4] = torch.nan
    assert np.isnan(metrics.inception_score(broken, rng_seed=0)[0])
    assert np.isnan(metrics.fid(broken, metrics.statistics(torch.randn(20, 10, generator=rng(0)))))


@pytest.mark.filterwarnings("ignore:The `disp` argument:DeprecationWarning")  # pytorch-fid's, not ours
def test_frechet_distance_agrees_with_pytorch_fid() -> None:
    """An independent implementation gives the same distance to 1e-6, and a set has none from itself."""
    import_torchvision()
    from pytorch_fid.fid_score import calculate_frechet_distance

    real, made = torch.randn(400, 16, generator=rng(0)), torch.rand(300, 16, generator=rng(1))
    a, b = metrics.statistics(made), metrics.statistics(real)
    expected = calculate_frechet_distance(a.mean, a.covariance, b.mean, b.covariance)
    assert metrics.fid(made, b) == pytest.approx(expected, rel=1e-6)
    assert metrics.fid(real, b) == pytest.approx(0, abs=1e-6)


def test_missing_imagenet_weights_are_named_and_never_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its weights file the ImageNet score is an error that says which file belongs where."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(metrics.InceptionMissing, match=metrics.INCEPTION_FILES[0]):
        metrics.imagenet_outputs(torch.zeros(1, 1, 28, 28))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / metrics.INCEPTION_FILES[1]).write_bytes(b"something else")
    with pytest.raises(metrics.InceptionMissing, match=f"sha256 is .*, expected {metrics.INCEPTION_SHA256}"):
        metrics.inception_weights()


@pytest.fixture
def bars() -> data.Dataset:
    """200 images of ten classes that anyone can tell apart: class k has a bright row 2 k."""
    labels = torch.arange(200) % 10
    images = torch.randint(60, (200, 1, 28, 28), generator=rng(5), dtype=torch.uint8)
    images[torch.arange(200), 0, 2 * labels] = 250
    return data.Dataset("bars", images[:150], labels[:150], images[150:], labels[150:])


RECIPE = classifier.Recipe(epochs=8, batch=25, threads=1)


def test_classifier_is_trained_once_and_reloaded_equal(
    bars: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second call reads the cache: the same outputs and record, without training."""
    first = classifier.load_or_train(bars, tmp_path, RECIPE)
    monkeypatch.setattr(classifier, "train", None)
    second = classifier.load_or_train(bars, tmp_path, RECIPE)
    images = data.scaled(bars.test_images)
    assert torch.equal(first.logits(images), second.logits(images))
    assert first.facts == second.facts
    assert first.accuracy > 0.9
    assert second.features(images).shape == (50, classifier.FEATURES)
    assert torch.get_num_threads() == 1


def test_a_classifier_of_less_than_an_epoch_sees_so_much_of_the_data_once(
    bars: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In whole batches; one of more epochs sees all of it in each."""
    seen: list[int] = []

    def scaled(images: Tensor) -> Tensor:
        seen.extend(image.numpy().tobytes().__hash__() for image in images)
        return data.scaled(images)

    monkeypatch.setattr(classifier, "scaled", scaled)
    for epochs, images, different in ((0.5, 75, 75), (0.4, 75, 75), (1, 150, 150), (1.5, 225, 150)):
        seen.clear()
        classifier.train(bars, dataclasses.replace(RECIPE, epochs=epochs))
        assert (len(seen), len(set(seen))) == (images, different)


def test_classifier_is_trained_by_one_of_two_that_ask_at_once(
    bars: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of runs that start together one trains, and the others wait for its result."""
    train, calls = classifier.train, []

    def counted(*arguments: Any) -> classifier.Network:
        calls.append(1)
        return train(*arguments)

    monkeypatch.setattr(classifier, "train", counted)
    short = dataclasses.replace(RECIPE, epochs=1)
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: classifier.load_or_train(bars, tmp_path, short), range(2))
    assert len(calls) == 1
    assert one.facts == other.facts


def test_classifier_of_other_data_or_another_recipe_is_another(bars: data.Dataset, tmp_path: Path) -> None:
    """The cache never gives out a classifier that was trained on something else."""
    short = dataclasses.replace(RECIPE, epochs=1)
    classifier.load_or_train(bars, tmp_path, short)
    classifier.load_or_train(bars, tmp_path, dataclasses.replace(short, seed=1))
    altered = dataclasses.replace(bars, train_images=bars.train_images.flip(0))
    classifier.load_or_train(altered, tmp_path, short)
    assert len(list(tmp_path.glob("classifier-*"))) == 3


def test_altered_classifier_is_named_and_not_loaded(bars: data.Dataset, tmp_path: Path) -> None:
    """A cached file whose bytes changed is an error that names it and the remedy."""
    classifier.load_or_train(bars, tmp_path, dataclasses.replace(RECIPE, epochs=1))
    (weights,) = tmp_path.glob("*/*.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(DataError, match=f"is torn or altered .*{weights.name}.*remove"):
        classifier.load_or_train(bars, tmp_path, dataclasses.replace(RECIPE, epochs=1))


@pytest.mark.parametrize(
    ("feature", "arithmetic_name"), [("avx512_bf16", "bfloat16"), ("amx_bf16", "bfloat16"), ("avx2", "float32")]
)
def test_bfloat16_is_for_processors_that_have_it(feature, arithmetic_name, monkeypatch):
    """Elsewhere it is emulated, many times slower than float32; a GPU has it always."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, "amx_bf16": False, feature: True})
    assert arithmetic.name.__wrapped__("cpu") == arithmetic_name
    assert arithmetic.name.__wrapped__("cuda") == "bfloat16"
