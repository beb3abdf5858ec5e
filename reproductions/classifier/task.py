"""A perceptron on Fashion-MNIST whose learning rate, momentum, weight decay and dropout are tuned for accuracy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pbt_core import Checkpoint, Hyperparameters, Plan, Score, Stream
from reproductions.classifier.network import BLOCK, CLASSES, Network, Rule, train, train_all
from reproductions.classifier.sweep import SPACE
from reproductions.shared import device
from reproductions.shared.assets import data_folder
from reproductions.shared.bounds import Count, check_memory
from reproductions.shared.images import fashion_mnist
from reproductions.suite.study.domain import TORCH_DEVICES, DomainTask
from reproductions.suite.study.registry import ConfigError

#: Mean and deviation of the training set's pixels, in 0..1, by which they are scaled.
MEAN, DEVIATION = 0.2860, 0.3530
SIDE, TRAIN, TEST = 28, 60_000, 10_000


@dataclass(frozen=True)
class Classifier(DomainTask[Network]):
    """A network of one hidden layer, trained on some images, selected by others, reported on others again.

    data: the folder that the images are kept in.
    train: the first so many of the 60,000 training images are trained on.
    select: the last so many of them select.
    test: the first so many of the 10,000 test images are held out at an evaluation; all of them are reported.
    pool: images are averaged over squares of so many pixels a side; 2 makes them 14x14.
    hidden, batch: units of the hidden layer, images a step.
    """

    data: str = "data"
    train: Count = 4000
    select: Count = 2500
    test: Count = 5000
    pool: Count = 2
    hidden: Count = 64
    batch: Count = 32
    space = SPACE
    devices = TORCH_DEVICES

    def prepare(self, plan: Plan) -> None:
        """Get the data, once for all workers and runs. ConfigError says what is missing, or which size is too large.

        It accepts any plan.
        """
        for name in ("train", "select", "test", "pool", "hidden", "batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"task.{name} = {getattr(self, name)} must be at least 1")
        if self.train + self.select > TRAIN:
            sum_of_both = f"task.train + task.select = {self.train} + {self.select}"
            raise ConfigError(
                f"{sum_of_both} must be at most {TRAIN}: both are taken from these images and must not overlap"
            )
        if self.test > TEST:
            raise ConfigError(f"task.test = {self.test} must be at most {TEST}")
        if SIDE % self.pool:
            raise ConfigError(f"task.pool = {self.pool} must divide {SIDE}")
        drawn = f"the draws of an interval for batches of task.batch = {self.batch} images"
        block = min(BLOCK, plan.interval)
        check_memory(f"{drawn} with task.hidden = {self.hidden} units", 4 * block * self.batch * self.hidden)
        check_memory(f"{drawn} and interval = {plan.interval} steps", 8 * plan.interval * self.batch)
        with data_folder(self.data) as folder:
            fashion_mnist.fetch(folder)

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> Network:
        return self._empty().initialise(_torch(seed))

    def step(self, state: Network, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Network:
        sets, rng = self._sets(), _torch(seed)
        train(
            state,
            sets.images[: self.train],
            sets.targets,
            torch.randint(self.train, (steps, self.batch), generator=rng).to(state.device),
            rng,
            **dataclasses.asdict(_rule(hyperparameters)),
        )
        return state

    def step_all(
        self,
        states: Sequence[Network],
        hyperparameters: Sequence[Hyperparameters],
        steps: int,
        seeds: Sequence[Stream],
    ) -> Sequence[Network]:
        """The population form: all members as one program."""
        sets, rngs = self._sets(), [_torch(seed) for seed in seeds]
        batches = torch.stack([torch.randint(self.train, (steps, self.batch), generator=rng) for rng in rngs])
        train_all(
            states,
            sets.images[: self.train],
            sets.targets,
            batches.to(states[0].device),
            rngs,
            [_rule(values) for values in hyperparameters],
        )
        return states

    def evaluate(self, state: Network, seed: Stream) -> Score:
        """Accuracy in per cent on the images that select and on those reported; nothing is drawn."""
        sets = self._sets()
        logits, labels = state.logits(sets.images[self.train :]), sets.labels[self.train :]
        loss = F.cross_entropy(logits[: self.select], labels[: self.select]).item()
        if not torch.isfinite(logits).all():
            return Score(float("nan"), held_out=float("nan"), metrics={"loss": loss})
        right = (logits.argmax(1) == labels).cpu().double()
        value, held_out = (100 * part.mean().item() for part in right.split([self.select, self.test]))
        return Score(value, held_out=held_out, metrics={"loss": loss})

    def report(self, state: Network, seed: Stream) -> Score:
        """Accuracy in per cent on all test images; nothing is drawn."""
        sets = _sets(self.data, 0, 0, TEST, self.pool, device.current())
        logits = state.logits(sets.images)
        if not torch.isfinite(logits).all():
            return Score(float("nan"))
        return Score(100 * (logits.argmax(1) == sets.labels).double().mean().item())

    def save(self, state: Network) -> Checkpoint:
        return Checkpoint({"weights": state.weights.cpu().numpy(), "velocity": state.velocity.cpu().numpy()})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> Network:
        state = self._empty()
        state.weights.copy_(torch.from_numpy(np.array(checkpoint.tensors["weights"])))
        state.velocity.copy_(torch.from_numpy(np.array(checkpoint.tensors["velocity"])))
        return state

    def _empty(self) -> Network:
        return Network((SIDE // self.pool) ** 2, self.hidden, device.current())

    def _sets(self) -> Sets:
        return _sets(self.data, self.train, self.select, self.test, self.pool, device.current())


@dataclass(frozen=True, eq=False)
class Sets:
    """Images float32 [N, pixels] and labels int64 [N] to train on, to select by, to report, in this order.

    targets: the labels to train on, one-hot float32 [train, 10].
    """

    images: Tensor
    labels: Tensor
    targets: Tensor


@cache
def _sets(root: str, train: int, select: int, test: int, pool: int, place: torch.device) -> Sets:
    data = fashion_mnist.read(Path(root))
    parts = (slice(0, train), slice(TRAIN - select, TRAIN))
    images = np.concatenate([*(data.train_images[part] for part in parts), data.test_images[:test]])
    labels = np.concatenate([*(data.train_labels[part] for part in parts), data.test_labels[:test]])
    targets = F.one_hot(torch.from_numpy(labels[:train].astype(np.int64)), CLASSES).float()
    return Sets(pooled(images, pool).to(place), torch.from_numpy(labels.astype(np.int64)).to(place), targets.to(place))


def pooled(images: NDArray[np.uint8], pool: int) -> Tensor:
    """uint8 [N, 28, 28] to float32 [N, pixels]: means over squares, then about zero mean and unit deviation."""
    squares = torch.from_numpy(images).float().view(-1, SIDE // pool, pool, SIDE // pool, pool)
    return squares.mean((2, 4)).flatten(1).div_(255).sub_(MEAN).div_(DEVIATION)


def _rule(hyperparameters: Hyperparameters) -> Rule:
    return Rule(
        lr=float(hyperparameters["lr"]),
        momentum=1 - float(hyperparameters["one_minus_momentum"]),
        weight_decay=float(hyperparameters["weight_decay"]),
        dropout=float(hyperparameters["dropout"]),
    )


def _torch(seed: Stream) -> torch.Generator:
    return torch.Generator().manual_seed(seed.integer())


TASK = Classifier
