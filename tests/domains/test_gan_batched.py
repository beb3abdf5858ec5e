"""The population form of the GAN: equal to the members' own training up to rounding."""

import contextlib
import dataclasses
import math

import pytest
import torch

from pbt_core import Checkpoint, Stream, Worker
from pbt_core.engines.worker import acting_as
from pbt_core.testing import check_population
from reproductions.gan import arithmetic, batched, networks
from reproductions.gan.networks import Discriminator

RATES = {"lr_d": 1e-3, "lr_g": 1e-3}


@pytest.fixture
def float32(monkeypatch):
    """Whatever the processor has."""
    monkeypatch.setattr(arithmetic, "name", lambda device: "float32")


@pytest.mark.parametrize("loss", ["bce", "wgan_gp"])
def test_each_member_is_trained_as_it_is_alone(loss, smoke_gan, float32):
    """In float32 weights and Adam's moments agree to a relative 1e-4 or absolute 1e-6, whatever each one's rates and draws."""
    check_population(dataclasses.replace(smoke_gan, loss=loss, d_steps=2))


def test_bfloat16_rounds_more(smoke_gan, monkeypatch):
    """Its numbers have three digits, and Adam makes whole steps of small gradients: relative 0.1 or absolute 0.01."""
    monkeypatch.setattr(arithmetic, "name", lambda device: "bfloat16")
    check_population(dataclasses.replace(smoke_gan, loss="wgan_gp", d_steps=2), relative=0.1, absolute=0.01)


@pytest.mark.parametrize("loss", ["bce", "wgan_gp"])
def test_the_losses_are_those_of_each_member(loss, float32):
    """With colour images, and one critic each."""
    critics = [networks.initialise(rng(m), 32, 3, 4).discriminator for m in range(3)]
    real, fake = (torch.rand(3, 5, 3, 32, 32, generator=rng(seed)) for seed in (7, 8))
    expected = torch.stack([networks.discriminator_loss(loss, critics[m], real[m], fake[m], rng(m)) for m in range(3)])

    def critic(images):
        return torch.stack([one(part) for one, part in zip(critics, images.chunk(3, 1), strict=True)], 1)

    side_by_side = (images.transpose(0, 1).flatten(1, 2) for images in (real, fake))
    got = batched.discriminator_losses(loss, critic, *side_by_side, [rng(m) for m in range(3)])
    torch.testing.assert_close(got, expected)
    on_fake = torch.randn(5, 3, generator=rng(9))
    torch.testing.assert_close(
        batched.generator_losses(loss, on_fake),
        torch.stack([networks.generator_loss(loss, column) for column in on_fake.unbind(1)]),
    )


def test_a_diverged_member_harms_no_other(smoke_gan, float32):
    """Its numbers meet nobody else's."""
    states = [smoke_gan.init(Stream(0).child(m), RATES) for m in range(3)]
    saved = smoke_gan.save(states[1])
    states[1] = smoke_gan.load(Checkpoint({name: array * math.nan for name, array in saved.tensors.items()}), RATES)
    seeds = [Stream(1).child(m) for m in range(3)]
    smoke_gan.step_all(states, [RATES] * 3, 2, seeds)
    alone = smoke_gan.step(smoke_gan.init(Stream(0).child(2), RATES), RATES, 2, seeds[2])
    assert all(not tensor.isfinite().any() for tensor in states[1].generator.parameters())
    for got, expected in zip(states[2].generator.parameters(), alone.generator.parameters(), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)


def test_a_layer_without_population_form_is_named(smoke_gan, monkeypatch):
    """Rather than left out."""

    def with_dropout(self, *arguments):
        init(self, *arguments)
        self.layers.append(torch.nn.Dropout())

    init = Discriminator.__init__
    monkeypatch.setattr(Discriminator, "__init__", with_dropout)
    states = [smoke_gan.init(Stream(m), RATES) for m in range(2)]
    with pytest.raises(NotImplementedError, match=r"layers\.6: Dropout has no population form"):
        smoke_gan.step_all(states, [RATES] * 2, 1, [Stream(m) for m in range(2)])


def test_on_another_device_each_member_has_the_same_draws(smoke_gan, monkeypatch):
    """Its generator ends where that of its own training on the processor does; "meta" stands for an accelerator."""
    monkeypatch.setattr(arithmetic, "autocast", lambda device, cache_enabled: contextlib.nullcontext())
    alone, together = ([rng(m) for m in range(2)] for _ in range(2))
    task = dataclasses.replace(smoke_gan, loss="wgan_gp", d_steps=2)
    for source in alone:
        monkeypatch.setattr("reproductions.gan.task._torch", lambda seed, source=source: source)
        task.step(task.init(Stream(0), RATES), RATES, 2, Stream(0))
    with acting_as(Worker(0, 1, ("meta",))):
        states = []
        for source in together:
            monkeypatch.setattr("reproductions.gan.task._torch", lambda seed, source=source: source)
            states.append(task.init(Stream(0), RATES))
        each = iter(together)
        monkeypatch.setattr("reproductions.gan.task._torch", lambda seed: next(each))
        task.step_all(states, [RATES] * 2, 2, [Stream(0)] * 2)
    assert {weight.device.type for state in states for weight in state.generator.parameters()} == {"meta"}
    assert [source.get_state().tolist() for source in together] == [source.get_state().tolist() for source in alone]


def rng(seed):
    return torch.Generator().manual_seed(seed)
