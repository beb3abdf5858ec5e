"""The real images: Fashion-MNIST (laptop scale, works offline) and CIFAR-10 (the paper's).

    python -m reproductions.gan.data --root DIR [--name fashion_mnist]

Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017; MIT licence) is looked for where it costs least: the raw folder
below the root, the folder of Debian's package ``dataset-fashion-mnist``, torchvision's download, the package
fetched and unpacked without being installed. Whatever the source, the uncompressed files have to have the
known checksums.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from reproductions.torchvision_compat import import_torchvision

NAMES = ("fashion_mnist", "cifar10")
PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian installs the package
SHA256 = {  # of the uncompressed files: the .gz files differ between sources, their content does not
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


class DataError(RuntimeError):
    """A data set is missing or its files are not the published ones; the message names files and remedies."""


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
        fetch_fashion_mnist(root)
        module = import_torchvision().datasets
        sets = [module.FashionMNIST(root, train=train) for train in (True, False)]
        images = [part.data[:, None] for part in sets]
    elif name == "cifar10":
        module = import_torchvision().datasets
        try:
            sets = [module.CIFAR10(root, train=train, download=True) for train in (True, False)]
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"CIFAR-10 is not in {root} and cannot be downloaded ({error}). Remedy: with internet, "
                "run `python -m reproductions.gan.data --name cifar10 --root DIR` "
                f"and copy DIR/cifar-10-batches-py to {root}"
            ) from error
        images = [torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in sets]
    else:
        raise ValueError(f"data set {name!r} must be one of {', '.join(NAMES)}")
    labels = [torch.as_tensor(part.targets) for part in sets]
    return Dataset(name, images[0], labels[0], images[1], labels[1])


def scaled(images: Tensor) -> Tensor:
    """uint8 0..255 to float32 -1..1, the range of the generator's tanh."""
    return images.float().div_(127.5).sub_(1.0)


def fetch_fashion_mnist(root: Path) -> None:
    """Make sure that ``root``/FashionMNIST/raw holds the four files; DataError tells what was tried."""
    raw = root / "FashionMNIST" / "raw"
    present = [file for file in SHA256 if (raw / file).exists()]
    if len(present) == len(SHA256):
        for file in SHA256:
            check(file, (raw / file).read_bytes(), raw)
        return
    tried = [f"{raw}: {len(present)} of {len(SHA256)} files"]
    sources: dict[str, Callable[[Path], Path]] = {
        str(PACKAGE_FOLDER): lambda _: PACKAGE_FOLDER,
        "torchvision's download": _torchvision_download,
        f"apt-get download {PACKAGE}": _package_download,
    }
    for source, folder in sources.items():
        with tempfile.TemporaryDirectory() as temporary:
            try:
                place(folder(Path(temporary)), raw)
                return
            except (DataError, OSError, RuntimeError, subprocess.SubprocessError) as error:
                tried.append(f"{source}: {error}")
    attempts = "\n  ".join(tried)
    raise DataError(
        f"Fashion-MNIST cannot be had. Tried:\n  {attempts}\nRemedies: install Debian's package {PACKAGE}, "
        "or run where the internet is reachable, "
        f"or put the files {', '.join(SHA256)} (uncompressed) into {raw}"
    )


def check(file: str, content: bytes, folder: Path) -> None:
    """DataError naming the file and both checksums unless ``content`` is the published one."""
    got = hashlib.sha256(content).hexdigest()
    if got != SHA256[file]:
        raise DataError(
            f"{folder / file}: sha256 of the uncompressed content is {got}, expected {SHA256[file]}; "
            "remove the file to fetch it again"
        )


def place(source: Path, raw: Path) -> None:
    """Copy the four files (plain or .gz) from ``source`` to ``raw``, checked and atomically.

    Two processes may do this at once: each writes files of its own and renames them over equal content.
    """
    raw.mkdir(parents=True, exist_ok=True)
    for file in SHA256:
        packed = source / f"{file}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.exists() else (source / file).read_bytes()
        check(file, content, source)
        handle, temporary = tempfile.mkstemp(dir=raw, prefix=f"{file}.", suffix=".tmp")
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        Path(temporary).chmod(0o644)  # mkstemp's 0600 would hide the file from other users of a shared root
        os.replace(temporary, raw / file)


def _torchvision_download(temporary: Path) -> Path:
    before = socket.getdefaulttimeout()
    # Seconds; torchvision sets no limit and would wait for ever behind a silent firewall.
    socket.setdefaulttimeout(30)
    try:
        import_torchvision().datasets.FashionMNIST(temporary, download=True)
    finally:
        socket.setdefaulttimeout(before)
    return temporary / "FashionMNIST" / "raw"


def _package_download(temporary: Path) -> Path:
    """Fetch and unpack Debian's package; needs apt-get and dpkg-deb but neither root nor an installation."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("apt-get and dpkg-deb are not on this system")
    _run(["apt-get", "download", PACKAGE], temporary)
    for package in temporary.glob("*.deb"):
        _run(["dpkg-deb", "-x", package.name, "."], temporary)
    return temporary / PACKAGE_FOLDER.relative_to("/")


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")


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
