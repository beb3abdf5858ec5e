"""The real images: Fashion-MNIST (laptop scale, works offline) and CIFAR-10 (the paper's).

    python -m reproductions.gan.data --root DIR [--name fashion_mnist]

Where Fashion-MNIST comes from is ``reproductions.images.fashion_mnist``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from reproductions.images import fashion_mnist
from reproductions.images.fashion_mnist import DataError
from reproductions.torchvision_compat import import_torchvision

DatasetName = Literal["fashion_mnist", "cifar10"]
NAMES: tuple[DatasetName, ...] = get_args(DatasetName)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images uint8 [N, C, H, W] in 0..255, labels int64 [N] in 0..9."""

    name: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def load(name: str, root: Path) -> Dataset:
    """The data set ``name`` below the folder ``root``, fetched there if need be; or DataError."""
    if name == "fashion_mnist":
        fashion_mnist.fetch(root)
        found = fashion_mnist.read(root)
        images = [torch.from_numpy(part)[:, None] for part in (found.train_images, found.test_images)]
        labels = [torch.from_numpy(part.astype(np.int64)) for part in (found.train_labels, found.test_labels)]
        return Dataset(name, images[0], labels[0], images[1], labels[1])
    if name != "cifar10":
        raise ValueError(f"data set {name!r} must be one of {', '.join(NAMES)}")
    try:
        module = import_torchvision().datasets
        sets = [module.CIFAR10(root, train=train, download=True) for train in (True, False)]
    except (OSError, RuntimeError) as error:
        raise DataError(
            f"CIFAR-10 is not in {root} and cannot be downloaded ({error}). Remedy: with internet, "
            "run `python -m reproductions.gan.data --name cifar10 --root DIR` "
            f"and copy DIR/cifar-10-batches-py to {root}"
        ) from error
    images = [torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in sets]
    labels = [torch.as_tensor(part.targets) for part in sets]
    return Dataset(name, images[0], labels[0], images[1], labels[1])


def scaled(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 -1..1, the range of the generator's tanh."""
    return images.float().div_(127.5).sub_(1.0)


def main() -> None:
    """Get a data set and say what it is."""
    parser = argparse.ArgumentParser(description="Get a data set and say what it is.")
    parser.add_argument("--name", choices=NAMES, default="fashion_mnist")
    parser.add_argument("--root", type=Path, required=True)
    arguments = parser.parse_args()
    data = load(arguments.name, arguments.root)
    shapes = [tuple(images.shape) for images in (data.train_images, data.test_images)]
    print(f"{data.name} in {arguments.root}: train {shapes[0]}, test {shapes[1]}")


if __name__ == "__main__":
    main()
