"""The population form of the GAN: all members' networks as one, their channels side by side, convolutions in groups.

Images and features are [N, members * channels, H, W]: convolutions have a group, batch norm its own channels for each
member, so no member's numbers meet another's. What a member draws is what ``networks.train_steps`` draws for it, in the
same order. A gradient of the sum of all members' losses is each member's gradient of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.gan import arithmetic
from reproductions.gan.data import scaled
from reproductions.gan.networks import GP_WEIGHT, GanState, Loss, place
from reproductions.shared.stacked import Stacked

#: Images [N, members * C, H, W] to outputs [N, members].
Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Rates:
    """A member's learning rates, of discriminator and generator."""

    lr_d: float
    lr_g: float


def train_steps_together(
    states: Sequence[GanState],
    images: Tensor,
    rates: Sequence[Rates],
    steps: int,
    rngs: Sequence[torch.Generator],
    loss: Loss,
    d_steps: int,
    batch: int,
) -> None:
    """``networks.train_steps`` for each of the members, in place, as one program; up to rounding the same."""
    for state, rate in zip(states, rates, strict=True):
        state.adam_d.param_groups[0]["lr"] = rate.lr_d
        state.adam_g.param_groups[0]["lr"] = rate.lr_g
    first = states[0]
    generators = Stacked([state.generator for state in states], [state.adam_g for state in states])
    critics = Stacked([state.discriminator for state in states], [state.adam_d for state in states])
    device, latent, count = place(first.generator), first.generator.latent, d_steps * batch
    images = images.to(device)  # once: so many members' batches are more than a processor hands over in time

    def noise(n: int) -> Tensor:
        """[n, members, latent]."""
        return torch.stack([torch.randn(n, latent, generator=rng) for rng in rngs], 1).to(device)

    def generated(z: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        projected = _linear(z, weights, "project").flatten(1)
        smallest = first.generator.smallest
        return _run(first.generator.layers, projected.unflatten(1, (-1, smallest, smallest)), weights).float().tanh()

    def judged(x: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        return _run(first.discriminator.layers, x, weights).float().squeeze(2)

    with arithmetic.autocast(device, cache_enabled=False):
        for _ in range(steps):
            chosen = torch.stack([torch.randint(len(images), (count,), generator=rng) for rng in rngs], 1)
            real = scaled(images[chosen.to(device)]).flatten(1, 2)
            with torch.no_grad():
                fake = generated(noise(count), generators.weights)
            for x, x_fake in zip(real.split(batch), fake.split(batch), strict=True):
                each = discriminator_losses(loss, lambda seen: judged(seen, critics.weights), x, x_fake, rngs)
                critics.step(torch.autograd.grad(each.sum(), list(critics.weights.values())))
            fixed = {name: weight.detach() for name, weight in critics.weights.items()}
            each = generator_losses(loss, judged(generated(noise(batch), generators.weights), fixed))
            generators.step(torch.autograd.grad(each.sum(), list(generators.weights.values())))
    for stacked in (generators, critics):
        stacked.give_back()


def discriminator_losses(
    loss: Loss, critic: Critic, real: Tensor, fake: Tensor, rngs: Sequence[torch.Generator]
) -> Tensor:
    """``networks.discriminator_loss`` of each member, [members]; ``real`` and ``fake`` are [N, members * C, H, W]."""
    on_real, on_fake = critic(torch.cat([real, fake])).split(len(real))
    if loss == "bce":
        return F.softplus(-on_real).mean(0) + F.softplus(on_fake).mean(0)
    return on_fake.mean(0) - on_real.mean(0) + GP_WEIGHT * gradient_penalties(critic, real, fake, rngs)


def gradient_penalties(critic: Critic, real: Tensor, fake: Tensor, rngs: Sequence[torch.Generator]) -> Tensor:
    """``networks.gradient_penalty`` of each member, [members]."""
    members = len(rngs)
    shares = torch.cat([torch.rand(len(real), 1, 1, 1, generator=rng) for rng in rngs], 1).to(real.device)
    between = torch.lerp(real, fake, shares.repeat_interleave(real.shape[1] // members, 1)).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.view(len(real), members, -1).norm(dim=2) - 1).square().mean(0)


def generator_losses(loss: Loss, on_fake: Tensor) -> Tensor:
    """``networks.generator_loss`` of each member, [members], given the discriminators' outputs [N, members]."""
    return F.softplus(-on_fake).mean(0) if loss == "bce" else -on_fake.mean(0)


def _run(layers: nn.Sequential, x: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
    """What the members' layers make of [N, members * C, H, W]: the same form, or [N, members, units] after linear ones."""
    members = len(next(iter(weights.values())))
    for index, layer in enumerate(layers):
        name = f"layers.{index}"
        match layer:
            case nn.Conv2d():
                weight, bias = _flat(weights, name)
                groups = members * layer.groups
                x = F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, groups)
            case nn.ConvTranspose2d():
                weight, bias = _flat(weights, name)
                assert not isinstance(layer.padding, str), "only convolutions have paddings with names"
                extra, groups = layer.output_padding, members * layer.groups
                x = F.conv_transpose2d(x, weight, bias, layer.stride, layer.padding, extra, groups, layer.dilation)
            case nn.BatchNorm2d():
                weight, bias = _flat(weights, name)
                x = F.batch_norm(x, None, None, weight, bias, training=True, eps=layer.eps)
            case nn.Linear():
                x = _linear(x.unflatten(1, (members, -1)), weights, name)
            case nn.ReLU() | nn.LeakyReLU() | nn.Flatten():
                x = layer(x)
            case _:
                raise NotImplementedError(f"{name}: {type(layer).__name__} has no population form")
    return x


def _flat(weights: Mapping[str, Tensor], layer: str) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of a layer for channels side by side: [members * C, ...] each."""
    bias = weights.get(f"{layer}.bias")
    return weights[f"{layer}.weight"].flatten(0, 1), None if bias is None else bias.flatten()


def _linear(x: Tensor, weights: Mapping[str, Tensor], name: str) -> Tensor:
    """[N, members, inputs] to [N, members, outputs]."""
    by_member, weight = x.transpose(0, 1), weights[f"{name}.weight"].transpose(1, 2)
    bias = weights.get(f"{name}.bias")
    y = torch.bmm(by_member, weight) if bias is None else torch.baddbmm(bias[:, None], by_member, weight)
    return y.transpose(0, 1)
