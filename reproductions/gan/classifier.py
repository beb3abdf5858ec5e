"""The classifier behind the scores: trained once on the real training set, cached, shared by every run.

The paper scores CIFAR-10 with the Inception score of a CIFAR classifier; its network is not known, so this
small one is our choice: 3 convolutions with batch norm and a hidden layer, about 400,000 weights, AdamW under
a one-cycle schedule. Scores from different classifiers do not compare, hence the cache is keyed by the data's
and the recipe's digest. On Fashion-MNIST it reaches about 92 % after 3 epochs, 2 to 3 CPU minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from reproductions.gan import arithmetic
from reproductions.gan.data import Dataset, scaled
from reproductions.shared import assets

FEATURES = 256  # size of the hidden layer, whose activations FID compares
_WEIGHTS, _FACTS = "weights.safetensors", "facts.json"


@dataclass(frozen=True)
class Recipe:
    """How the classifier is trained; one-cycle peaks at ``lr``. Less than one epoch trains on so much of the data."""

    epochs: float = 3
    batch: int = 128
    lr: float = 5e-3
    weight_decay: float = 1e-2
    seed: int = 0
    threads: int = 2  # while training; part of the recipe because sums in another order give other bits


RECIPES = {"fashion_mnist": Recipe(), "cifar10": Recipe(epochs=12)}


class Network(nn.Module):
    """Images float [N, C, H, W] in -1..1 to logits [N, 10]; any H and W of at least 24."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in ((channels, 32), (32, 64), (64, 128)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        layers += [nn.AdaptiveAvgPool2d(3), nn.Flatten()]
        layers += [nn.Linear(128 * 9, FEATURES), nn.BatchNorm1d(FEATURES), nn.ReLU()]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images.contiguous(memory_format=torch.channels_last)))


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained network; ``accuracy`` is the share of the test set labelled right, ``facts`` the record."""

    network: Network
    accuracy: float
    facts: dict[str, Any]

    def logits(self, images: Tensor) -> Tensor:
        """float32 [N, 10] of images float [N, C, H, W] in -1..1."""
        return self.outputs(images)[0]

    def features(self, images: Tensor) -> Tensor:
        """The hidden layer, float32 [N, 256], of images float [N, C, H, W] in -1..1."""
        return self.outputs(images)[1]

    @torch.no_grad()
    def outputs(self, images: Tensor, batch: int = 500) -> tuple[Tensor, Tensor]:
        """Logits [N, 10] and features [N, 256] in one pass, which costs half of asking for each."""
        self.network.eval()
        device = next(self.network.parameters()).device
        with arithmetic.autocast(device):
            features = [self.network.body(part.to(device)) for part in channels_last(images).split(batch)]
            logits = [self.network.head(part) for part in features]
        return torch.cat(logits).float().cpu(), torch.cat(features).float().cpu()


def channels_last(images: Tensor) -> Tensor:
    """The same images in the memory layout that these convolutions prefer."""
    return images.contiguous(memory_format=torch.channels_last)


def load_or_train(dataset: Dataset, cache_dir: Path, recipe: Recipe | None = None) -> Classifier:
    """The classifier of ``dataset`` from the cache; the first process trains it, others wait for it.

    Raises DataError if a cached one is torn or altered; the message names the file.
    """
    recipe = recipe or RECIPES[dataset.name]
    facts: dict[str, Any] = {
        "dataset": dataset.name,
        "data_sha256": data_digest(dataset),
        "recipe": asdict(recipe),
        "arithmetic": arithmetic.name("cpu"),
    }
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def build(empty: Path) -> None:
        network = train(dataset, recipe)
        save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, empty / _WEIGHTS)
        record = {**facts, "accuracy": accuracy(network, dataset)}
        (empty / _FACTS).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    folder = assets.once(cache_dir / f"classifier-{dataset.name}-{key}", (_WEIGHTS, _FACTS), build)
    with torch.device("meta"):  # nothing is drawn for weights that are loaded
        network = Network(dataset.train_images.shape[1])
    network.load_state_dict(load_file(folder / _WEIGHTS), assign=True)
    record = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    return Classifier(network.eval(), record["accuracy"], record)


def data_digest(dataset: Dataset) -> str:
    """SHA-256 over shapes and bytes of all images and labels."""
    sha = hashlib.sha256()
    for part in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        sha.update(f"{tuple(part.shape)}|{part.dtype}|".encode())
        sha.update(part.contiguous().numpy().data)
    return sha.hexdigest()


def train(dataset: Dataset, recipe: Recipe) -> Network:
    """A network trained on the training set, with random mirror images; all draws from ``recipe.seed``."""
    rng = torch.Generator().manual_seed(recipe.seed)
    network = initialised(dataset.train_images.shape[1], rng)
    count = len(dataset.train_images)
    steps = math.ceil(recipe.epochs * math.ceil(count / recipe.batch))
    adam = torch.optim.AdamW(network.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, recipe.lr, total_steps=steps)
    with threads(recipe.threads):
        network.train()
        for index in islice(_batches(count, recipe.batch, rng), steps):
            images = scaled(dataset.train_images[index])
            mirrored = torch.rand(len(index), 1, 1, 1, generator=rng) < 0.5
            with arithmetic.autocast(torch.device("cpu")):
                logits = network(torch.where(mirrored, images.flip(3), images))
                loss = F.cross_entropy(logits.float(), dataset.train_labels[index])
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
    return network.eval()


def _batches(count: int, batch: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Indices of ``count`` images, ``batch`` at a time, epoch after epoch, each in an order of its own."""
    while True:
        yield from torch.randperm(count, generator=rng).split(batch)


def initialised(channels: int, rng: torch.Generator) -> Network:
    """A fresh network, all weights drawn from ``rng``; the global generator is left alone."""
    with torch.device("meta"):
        network = Network(channels)
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            module.reset_parameters()  # 1 and 0, and fresh running averages: nothing random
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=rng)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    return network


def accuracy(network: Network, dataset: Dataset) -> float:
    """Share of the test set labelled right, 0..1."""
    logits = Classifier(network, 0.0, {}).logits(scaled(dataset.test_images))
    return (logits.argmax(1) == dataset.test_labels).double().mean().item()


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use ``count`` threads inside, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
