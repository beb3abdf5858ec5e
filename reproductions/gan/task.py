"""A GAN whose two learning rates are tuned for the Inception score (the paper, section 4.3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from pbt_core import Checkpoint, Hyperparameters, Plan, Score, Space, Stream
from reproductions.gan import arithmetic, batched, classifier, data, metrics, networks
from reproductions.gan.data import DatasetName
from reproductions.gan.networks import GanState, Loss
from reproductions.gan.sweep import SPACE, SPACES
from reproductions.shared import device
from reproductions.shared.assets import DataError, data_folder
from reproductions.shared.bounds import MOST, Count, check_memory
from reproductions.suite.study.domain import TORCH_DEVICES, DomainTask
from reproductions.suite.study.registry import ConfigError

#: So many, or a share of one; 3.0 is the same as 3.
Epochs = Annotated[
    float, Field(gt=0, le=1000), AfterValidator(lambda count: int(count) if count.is_integer() else count)
]
#: Images behind a score, which is a mean over ten parts.
Samples = Annotated[int, Field(ge=10, le=MOST)]
#: The Frechet distance compares generated images with the first so many real ones, but at most ten times as many.
REAL_IMAGES = 10_000


@dataclass(frozen=True)
class Gan(DomainTask[GanState]):
    """A generator and a discriminator, trained against each other on real images.

    dataset, data: which images, and the folder they are kept in.
    width, batch, loss, d_steps: the networks and their training; see ``networks.train_steps``. A step is one of the
        generator, with ``d_steps`` of the discriminator.
    samples: generated images behind a score. One set selects, another, equally large, is held out.
    report_samples: new images of the final best generator, whose score is reported.
    classifier_epochs: how long the classifier behind the scores was trained (None: as its recipe says; a share: on so much
        of the data, once); scores by different classifiers do not compare.
    imagenet: also report Inception score and FID of ImageNet Inception, whose weights must be there.
    """

    dataset: DatasetName = "fashion_mnist"
    data: str = "data"
    width: Count = 16
    batch: Count = 64
    loss: Loss = "wgan_gp"
    d_steps: Count = 5
    samples: Samples = 2000
    report_samples: Samples = 5000
    classifier_epochs: Epochs | None = None
    imagenet: bool = False
    devices = TORCH_DEVICES

    @property
    def space(self) -> Space:
        return SPACES.get(self.dataset, SPACE)

    def prepare(self, plan: Plan) -> None:
        """Get the data and the classifier, once for all workers and runs. ConfigError says what is missing and what to do.

        It accepts any plan.
        """
        if self.imagenet:
            try:
                metrics.inception_weights()
            except metrics.InceptionMissing as error:
                raise ConfigError(f"task.imagenet = True: {error}") from None
        with data_folder(self.data):
            try:
                _dataset(self.dataset, self.data)
            except DataError as error:
                raise ConfigError(f"task.dataset = {self.dataset!r}: {error}") from None
            self._check_memory()
            _classifier(self.dataset, self.data, self.classifier_epochs, torch.device("cpu"))

    def numerics(self) -> dict[str, Any]:
        """The processor decides in which arithmetic the networks train and score, and the classifier was trained on it."""
        numerics = super().numerics()
        return {**numerics, "arithmetic": arithmetic.name(numerics["device"]), "classifier": arithmetic.name("cpu")}

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> GanState:
        return self._fresh(_torch(seed))

    def step(self, state: GanState, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> GanState:
        images = _dataset(self.dataset, self.data).train_images
        lr_d, lr_g = float(hyperparameters["lr_d"]), float(hyperparameters["lr_g"])
        return networks.train_steps(state, images, lr_d, lr_g, steps, _torch(seed), self.loss, self.d_steps, self.batch)

    def step_all(
        self,
        states: Sequence[GanState],
        hyperparameters: Sequence[Hyperparameters],
        steps: int,
        seeds: Sequence[Stream],
    ) -> Sequence[GanState]:
        """The population form: all members as one program."""
        images = _dataset(self.dataset, self.data).train_images
        rates = [batched.Rates(float(values["lr_d"]), float(values["lr_g"])) for values in hyperparameters]
        rngs = [_torch(seed) for seed in seeds]
        batched.train_steps_together(states, images, rates, steps, rngs, self.loss, self.d_steps, self.batch)
        return states

    def evaluate(self, state: GanState, seed: Stream) -> Score:
        """The Inception score of two independent sample sets; FID (and ImageNet's scores) of the reported one."""
        value, _, _ = self._inception_score(state, self.samples, seed.child("select"))
        held_out, images, features = self._inception_score(state, self.samples, seed.child("report"))
        reported = {"fid": metrics.fid(features, self.real_statistics())}
        if self.imagenet:
            logits, features = metrics.imagenet_outputs(images, device.current())
            reported["imagenet_inception_score"], _ = metrics.inception_score(logits, rng_seed=0)
            reported["imagenet_fid"] = metrics.fid(
                features, _imagenet_real_statistics(self.dataset, self.data, device.current())
            )
        return Score(value, held_out=held_out, metrics=reported)

    def report(self, state: GanState, seed: Stream) -> Score:
        """The Inception score of ``report_samples`` new images."""
        value, _, _ = self._inception_score(state, self.report_samples, seed.child("final"))
        return Score(value)

    def save(self, state: GanState) -> Checkpoint:
        return Checkpoint({name: tensor.numpy() for name, tensor in networks.to_tensors(state).items()})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> GanState:
        tensors = {name: torch.from_numpy(array) for name, array in checkpoint.tensors.items()}
        return networks.from_tensors(self._fresh(torch.Generator()), tensors)

    def sample(self, state: GanState, count: int, seed: Stream) -> Tensor:
        """``count`` images, float32 [count, C, H, W] in -1..1."""
        return networks.sample(state.generator, count, _torch(seed))

    def illustrate(self, state: GanState, seed: Stream) -> dict[str, np.ndarray]:
        """64 generated images, uint8 [64, C, H, W], kept with the run for the figure of samples."""
        images = self.sample(state, 64, seed)
        return {"samples": images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).numpy()}

    def classifier(self) -> classifier.Classifier:
        """The classifier behind this task's scores, on its device."""
        return _classifier(self.dataset, self.data, self.classifier_epochs, device.current())

    def real_statistics(self) -> metrics.Statistics:
        """The statistics of the real images' features, with which the Frechet distance compares."""
        images = min(REAL_IMAGES, 10 * self.samples)
        return _real_statistics(self.dataset, self.data, self.classifier_epochs, images, device.current())

    def _check_memory(self) -> None:
        """ConfigError if images of a step or behind a score, or the networks' weights, cannot fit this machine's memory."""
        _, channels, size, _ = _dataset(self.dataset, self.data).train_images.shape
        image = 4 * channels * size**2
        steps = f"task.d_steps = {self.d_steps} batches of task.batch = {self.batch} real images"
        check_memory(f"{steps} and as many generated ones", 2 * self.d_steps * self.batch * image)
        for name in ("samples", "report_samples"):
            check_memory(f"task.{name} = {getattr(self, name)} images", getattr(self, name) * image)
        with torch.device("meta"):  # shapes alone
            made = networks.Generator(size, channels, self.width), networks.Discriminator(size, channels, self.width)
        weights = sum(weight.nbytes for network in made for weight in network.parameters())
        check_memory(f"the weights of networks with task.width = {self.width}", weights)

    def _fresh(self, rng: torch.Generator) -> GanState:
        _, channels, size, _ = _dataset(self.dataset, self.data).train_images.shape
        return networks.initialise(rng, size, channels, self.width, device=device.current())

    def _inception_score(self, state: GanState, samples: int, seed: Stream) -> tuple[float, Tensor, Tensor]:
        images = self.sample(state, samples, seed)
        logits, features = self.classifier().outputs(images)
        score, _ = metrics.inception_score(logits, rng_seed=0)
        return score, images, features


def _torch(seed: Stream) -> torch.Generator:
    return torch.Generator().manual_seed(seed.integer())


@cache
def _dataset(name: str, root: str) -> data.Dataset:
    return data.load(name, Path(root))


@cache
def _classifier(name: str, root: str, epochs: float | None, place: torch.device) -> classifier.Classifier:
    recipe = classifier.RECIPES[name]
    recipe = dataclasses.replace(recipe, epochs=epochs or recipe.epochs)
    trained = classifier.load_or_train(_dataset(name, root), Path(root) / "classifiers", recipe)
    trained.network.to(place)
    return trained


@cache
def _real_statistics(
    name: str, root: str, epochs: float | None, images: int, place: torch.device
) -> metrics.Statistics:
    real = data.scaled(_dataset(name, root).train_images[:images])
    return metrics.statistics(_classifier(name, root, epochs, place).features(real))


@cache
def _imagenet_real_statistics(name: str, root: str, place: torch.device) -> metrics.Statistics:
    real = data.scaled(_dataset(name, root).train_images[:REAL_IMAGES])
    return metrics.statistics(metrics.imagenet_outputs(real, place)[1])


TASK = Gan
