"""A multilayer perceptron with one hidden layer, and its training by stochastic gradient descent, written out.

A step of so small a network is mostly the cost of calling torch: with autograd and ``torch.optim.SGD`` it takes three
times as long or more (``benchmarks/classifier_settings.py``). So the gradient is written down, and all weights are one
vector, which is updated at once. A test holds both against autograd and ``torch.optim.SGD``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

CLASSES = 10
#: Steps whose dropout is drawn in one call.
BLOCK = 50


@dataclass(eq=False)
class Network:
    """Weights and momentum of a network of ``inputs`` - ``hidden`` (ReLU) - 10 units, each float32 in one vector.

    All draws are made on the processor, whichever device the network is on: every device sees the same.
    """

    inputs: int
    hidden: int
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    weights: Tensor = field(init=False)
    velocity: Tensor = field(init=False)

    def __post_init__(self) -> None:
        size = (self.inputs + 1) * self.hidden + (self.hidden + 1) * CLASSES
        self.weights, self.velocity = torch.zeros(2, size, device=self.device)

    def layers(self, vector: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Views into a vector of all weights: [inputs, hidden], [hidden], [hidden, 10], [10]."""
        sizes = [self.inputs * self.hidden, self.hidden, self.hidden * CLASSES, CLASSES]
        w1, b1, w2, b2 = vector.split(sizes)
        return w1.view(self.inputs, self.hidden), b1, w2.view(self.hidden, CLASSES), b2

    def initialise(self, rng: torch.Generator) -> Network:
        """Weights uniform in +- 1 / sqrt(inputs of their layer), as ``torch.nn.Linear`` draws them."""
        w1, b1, w2, b2 = self.layers(self.weights)
        for layer, inputs in (((w1, b1), self.inputs), ((w2, b2), self.hidden)):
            for part in layer:
                part.copy_(torch.empty(part.shape).uniform_(-(inputs**-0.5), inputs**-0.5, generator=rng))
        return self

    def logits(self, images: Tensor) -> Tensor:
        """float32 [N, 10] of images float32 [N, inputs], without dropout."""
        w1, b1, w2, b2 = self.layers(self.weights)
        return torch.addmm(b2, torch.addmm(b1, images, w1).relu_(), w2)


def train(
    network: Network,
    images: Tensor,
    targets: Tensor,
    batches: Tensor,
    rng: torch.Generator,
    *,
    lr: float,
    momentum: float,
    weight_decay: float,
    dropout: float,
) -> None:
    """One step of SGD on the mean cross-entropy for each row of ``batches``, in place.

    images: float32 [N, inputs]. targets: one-hot float32 [N, 10]. batches: int64 [steps, batch], indices of images. These are
    on the network's device, ``rng`` is on the processor.
    ``dropout`` is the share of hidden units that are left out in training; the others are scaled up. As in
    ``torch.optim.SGD``, weight decay is added to the gradient and momentum gathers v <- momentum v + g, w <- w - lr v.
    """
    weights, velocity, gradient = network.weights, network.velocity, torch.empty_like(network.weights)
    w1, b1, w2, b2 = network.layers(weights)
    g1, h1, g2, h2 = network.layers(gradient)
    batch = batches.shape[1]
    for block in batches.split(BLOCK):
        kept = torch.rand(len(block), batch, network.hidden, generator=rng).to(network.device) >= dropout
        for index, mask in zip(block, kept.float().div_(1 - dropout), strict=True):
            x = images.index_select(0, index)
            hidden = torch.addmm(b1, x, w1).relu_().mul_(mask)
            # The gradient with respect to the logits, then to what enters the ReLU.
            error = torch.softmax(torch.addmm(b2, hidden, w2), 1).sub_(targets.index_select(0, index)).div_(batch)
            # Nowhere is hidden negative: its sign is 1 where the ReLU and dropout let something through, 0 elsewhere.
            below = torch.mm(error, w2.t()).mul_(mask).mul_(hidden.sign())
            torch.mm(x.t(), below, out=g1)
            torch.sum(below, 0, out=h1)
            torch.mm(hidden.t(), error, out=g2)
            torch.sum(error, 0, out=h2)
            velocity.mul_(momentum).add_(gradient).add_(weights, alpha=weight_decay)
            weights.add_(velocity, alpha=-lr)


@dataclass(frozen=True)
class Rule:
    """The hyperparameters of ``train``, of one member."""

    lr: float
    momentum: float
    weight_decay: float
    dropout: float


def train_all(
    networks: Sequence[Network],
    images: Tensor,
    targets: Tensor,
    batches: Tensor,
    rngs: Sequence[torch.Generator],
    rules: Sequence[Rule],
) -> None:
    """``train`` for several networks of one shape at once, members along the first axis; up to rounding the same.

    batches: int64 [members, steps, batch]. The draws of each member are those of ``train``.
    """
    first, members, batch = networks[0], len(networks), batches.shape[2]
    inputs, units = first.inputs, first.hidden
    weights = torch.stack([network.weights for network in networks])
    velocity = torch.stack([network.velocity for network in networks])
    gradient = torch.empty_like(weights)
    sizes = [inputs * units, units, units * CLASSES, CLASSES]
    shapes = [(members, inputs, units), (members, 1, units), (members, units, CLASSES), (members, 1, CLASSES)]
    w1, b1, w2, b2 = (part.unflatten(1, shape[1:]) for part, shape in zip(weights.split(sizes, 1), shapes, strict=True))
    parts = gradient.split(sizes, 1)
    lr, momentum, decay, dropout = (
        torch.tensor([[getattr(rule, name)] for rule in rules], device=first.device)
        for name in ("lr", "momentum", "weight_decay", "dropout")
    )
    for block in batches.split(BLOCK, 1):
        drawn = torch.stack([torch.rand(block.shape[1], batch, units, generator=rng) for rng in rngs], 1)
        kept = drawn.to(first.device) >= dropout[:, :, None]
        masks = kept.float().div_(1 - dropout[:, :, None])
        for index, mask in zip(block.unbind(1), masks, strict=True):
            x = images.index_select(0, index.flatten()).view(members, batch, inputs)
            right = targets.index_select(0, index.flatten()).view(members, batch, CLASSES)
            hidden = torch.baddbmm(b1, x, w1).relu_().mul_(mask)
            error = torch.softmax(torch.baddbmm(b2, hidden, w2), 2).sub_(right).div_(batch)
            below = torch.bmm(error, w2.transpose(1, 2)).mul_(mask).mul_(hidden.sign())
            found = (
                torch.bmm(x.transpose(1, 2), below),
                below.sum(1),
                torch.bmm(hidden.transpose(1, 2), error),
                error.sum(1),
            )
            for part, value in zip(parts, found, strict=True):
                part.copy_(value.flatten(1))
            velocity.mul_(momentum).add_(gradient).addcmul_(weights, decay)
            weights.addcmul_(velocity, lr, value=-1)
    for network, new_weights, new_velocity in zip(networks, weights, velocity, strict=True):
        network.weights.copy_(new_weights)
        network.velocity.copy_(new_velocity)
