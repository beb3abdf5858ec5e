"""Generator, discriminator, losses and training: a DCGAN layout with 4x4 kernels (the paper, section 4.3).

Batch norm is in the generator only, as in the paper. It always uses the statistics of the batch at hand, as
the WGAN-GP code does, so no running averages lag behind a fast learner and the state is weights and
optimisers, nothing else. Losses: ``wgan_gp`` (Gulrajani et al., 2017, algorithm 1; the paper's, with 5
discriminator steps a generator step) and ``bce`` (Goodfellow et al., 2014, the non-saturating form; 1
discriminator step).

The arithmetic is the processor's best (``arithmetic``). The memory layout is torch's default: for networks this small
channels last was measured as no faster and up to a third slower.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.gan import arithmetic
from reproductions.gan.data import scaled

Loss = Literal["wgan_gp", "bce"]
LATENT = 128  # our choice (WGAN-GP's); the paper's size is unknown
GP_WEIGHT = 10.0  # our choice (WGAN-GP's); the paper's weight is unknown
INITIAL_STD = 0.02  # DCGAN's; He's normal learned more slowly here
BETAS = (0.5, 0.999)  # Adam's, the paper's


def channels_at(size: int, width: int) -> tuple[int, list[int]]:
    """Smallest resolution (7 for 28, 4 for 32); channels from there up: 4 ``width``, halved each time."""
    smallest = {28: 7, 32: 4}.get(size)
    if smallest is None:
        raise ValueError(f"image size {size} must be 28 or 32")
    doublings = (size // smallest).bit_length() - 1
    return smallest, [4 * width >> level for level in range(doublings)]


class Generator(nn.Module):
    """Latent float [N, latent] to images in -1..1, float32 [N, C, H, W]."""

    def __init__(self, size: int, channels: int, width: int, latent: int = LATENT) -> None:
        super().__init__()
        self.latent = latent
        self.smallest, widths = channels_at(size, width)
        # No bias below a batch norm, which brings its own.
        self.project = nn.Linear(latent, widths[0] * self.smallest**2, bias=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0], track_running_stats=False), nn.ReLU()]
        for before, after in pairwise(widths):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(after, track_running_stats=False), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1))

    def forward(self, z: Tensor) -> Tensor:
        x = self.project(z).unflatten(1, (-1, self.smallest, self.smallest))
        return self.layers(x).float().tanh()


class Discriminator(nn.Module):
    """Images float [N, C, H, W] in -1..1 to a logit (``bce``) or critic value (``wgan_gp``), float32 [N]."""

    def __init__(self, size: int, channels: int, width: int) -> None:
        super().__init__()
        smallest, widths = channels_at(size, width)
        layers: list[nn.Module] = []
        for before, after in pairwise([channels, *widths[::-1]]):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(widths[0] * smallest**2, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).float().squeeze(1)


@dataclass
class GanState:
    """All that training changes."""

    generator: Generator
    discriminator: Discriminator
    adam_g: torch.optim.Adam
    adam_d: torch.optim.Adam

    def networks(self) -> Iterator[tuple[str, nn.Module, torch.optim.Adam]]:
        yield "generator", self.generator, self.adam_g
        yield "discriminator", self.discriminator, self.adam_d


def initialise(
    rng: torch.Generator, size: int, channels: int, width: int, latent: int = LATENT, device: torch.device | None = None
) -> GanState:
    """Fresh networks for images [channels, size, size]; layers drawn from ``rng`` by DCGAN's N(0, 0.02).

    ``rng`` is a CPU generator wherever the networks are: every device sees the same draws.
    """
    # On the meta device torch's own initialisation draws nothing, so the global generator is left alone.
    with torch.device("meta"):
        generator, discriminator = (
            Generator(size, channels, width, latent),
            Discriminator(size, channels, width),
        )
    for network in (generator, discriminator):
        network.to_empty(device="cpu")
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()  # 1 and 0: nothing random
            elif isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, std=INITIAL_STD, generator=rng)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    networks = generator.to(device or "cpu"), discriminator.to(device or "cpu")
    adams = (torch.optim.Adam(net.parameters(), betas=BETAS, fused=True) for net in networks)
    return GanState(*networks, *adams)


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Mean of (|gradient| - 1)^2 at random points between ``real`` and ``fake`` [N, C, H, W]: a scalar."""
    share = torch.rand(len(real), 1, 1, 1, generator=rng).to(real.device)
    between = torch.lerp(real, fake, share).requires_grad_()
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def discriminator_loss(loss: Loss, critic: nn.Module, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """What the discriminator minimises, a scalar; ``fake`` is taken as a constant."""
    on_real, on_fake = critic(torch.cat([real, fake])).split(len(real))
    if loss == "bce":
        return F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
    return on_fake.mean() - on_real.mean() + GP_WEIGHT * gradient_penalty(critic, real, fake, rng)


def generator_loss(loss: Loss, on_fake: Tensor) -> Tensor:
    """What the generator minimises, a scalar, given the discriminator's output [N] on its images."""
    return F.softplus(-on_fake).mean() if loss == "bce" else -on_fake.mean()


def train_steps(
    state: GanState,
    images: Tensor,
    lr_d: float,
    lr_g: float,
    steps: int,
    rng: torch.Generator,
    loss: Loss = "wgan_gp",
    d_steps: int = 5,
    batch: int = 64,
) -> GanState:
    """Train in place for ``steps`` generator steps, each after ``d_steps`` of the discriminator.

    ``images`` is uint8 [N, C, H, W]; batches are drawn with replacement. ``rng`` is a CPU generator and all draws
    are made on the processor: every device sees the same. The learning rates replace those that the optimisers hold: after
    a clone, a loaded state must not bring the parent's rates back. With one thread the bits are the same each time.
    """
    state.adam_d.param_groups[0]["lr"] = lr_d
    state.adam_g.param_groups[0]["lr"] = lr_g
    device, latent = place(state.generator), state.generator.latent
    # Without its cache, which would hand out the first step's bfloat16 weights in all the steps after it.
    with arithmetic.autocast(device, cache_enabled=False):
        for _ in range(steps):
            count = d_steps * batch
            real = scaled(images[torch.randint(len(images), (count,), generator=rng)]).to(device)
            with torch.no_grad():  # all fake batches in one pass: the generator does not change meanwhile
                fake = state.generator(torch.randn(count, latent, generator=rng).to(device))
            for x, x_fake in zip(real.split(batch), fake.split(batch), strict=True):
                state.adam_d.zero_grad()
                discriminator_loss(loss, state.discriminator, x, x_fake, rng).backward()
                state.adam_d.step()
            state.adam_g.zero_grad()
            # The discriminator's weights need no gradient here, which saves a third of its backward pass.
            state.discriminator.requires_grad_(False)
            z = torch.randn(batch, latent, generator=rng).to(device)
            generator_loss(loss, state.discriminator(state.generator(z))).backward()
            state.discriminator.requires_grad_(True)
            state.adam_g.step()
    return state


def place(network: nn.Module) -> torch.device:
    """The device that a network's weights are on."""
    return next(network.parameters()).device


@torch.no_grad()
def sample(generator: Generator, count: int, rng: torch.Generator, batch: int = 500) -> Tensor:
    """``count`` images, float32 [count, C, H, W] in -1..1 on the CPU, in batches, whose statistics batch norm uses."""
    device = place(generator)
    with arithmetic.autocast(device):
        noise = torch.randn(count, generator.latent, generator=rng)
        return torch.cat([generator(z.to(device)).cpu() for z in noise.split(batch)])


def to_tensors(state: GanState) -> dict[str, Tensor]:
    """A copy of the whole state as named tensors: weights, and Adam's moments and step count of each weight."""
    tensors: dict[str, Tensor] = {}
    for name, network, adam in state.networks():
        for key, weight in network.named_parameters():
            tensors[f"{name}.{key}"] = weight.detach()
            tensors |= {f"{name}.{key}|{slot}": value for slot, value in adam.state.get(weight, {}).items()}
    return {key: tensor.to("cpu", copy=True) for key, tensor in tensors.items()}


def from_tensors(state: GanState, tensors: Mapping[str, Tensor]) -> GanState:
    """Copy ``tensors`` into ``state``, whose networks must have the same shapes; KeyError if one is missing."""
    for name, network, adam in state.networks():
        adam.state.clear()
        for key, weight in network.named_parameters():
            with torch.no_grad():
                weight.copy_(tensors[f"{name}.{key}"])
            prefix = f"{name}.{key}|"
            slots = {slot.removeprefix(prefix): tensors[slot] for slot in tensors if slot.startswith(prefix)}
            if slots:
                adam.state[weight] = {slot: value.to(weight.device, copy=True) for slot, value in slots.items()}
    return state
