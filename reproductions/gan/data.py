"""The real images: Fashion-MNIST (laptop scale, works offline) and CIFAR-10 (the paper's).

    python -m reproductions.gan.data --root DIR [--name fashion_mnist]

Where they come from is in ``reproductions.shared.images``.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reproductions.shared.assets import DataError
from reproductions.shared.images import cifar10, fashion_mnist

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
        mnist = fashion_mnist.read(root)
        images = [part[:, None] for part in (mnist.train_images, mnist.test_images)]
        return _dataset(name, images[0], mnist.train_labels, images[1], mnist.test_labels)
    if name != "cifar10":
        raise ValueError(f"data set {name!r} must be one of {', '.join(NAMES)}")
    cifar10.fetch(root)
    return _dataset(name, *cifar10.read(root))


def _dataset(name: str, *parts: NDArray[np.uint8]) -> Dataset:
    """The data set from images uint8 [N, C, H, W] and labels uint8 [N], of the training set, then of the test set."""
    tensors = [torch.from_numpy(part) for part in parts]
    return Dataset(name, tensors[0], tensors[1].long(), tensors[2], tensors[3].long())


def scaled(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 -1..1, the range of the generator's tanh."""
    return images.float().div_(127.5).sub_(1.0)


def main() -> None:
    """Get a data set and say what it is."""
    parser = argparse.ArgumentParser(description="Get a data set and say what it is.")
    parser.add_argument("--name", choices=NAMES, default="fashion_mnist")
    parser.add_argument("--root", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        data = load(arguments.name, arguments.root)
    except DataError as error:
        raise SystemExit(f"error: {error}") from None
    shapes = [tuple(images.shape) for images in (data.train_images, data.test_images)]
    print(f"{data.name} in {arguments.root}: train {shapes[0]}, test {shapes[1]}")


if __name__ == "__main__":
    main()
