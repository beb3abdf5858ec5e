"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017; MIT licence): fetched where it costs least, checked, read as arrays.

It is looked for in the raw folder below the root, the folder of Debian's package ``dataset-fashion-mnist``,
torchvision's download, and the package fetched and unpacked without being installed. Whatever the source, the
uncompressed files have to have the known checksums.
"""

from __future__ import annotations

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

import numpy as np
from numpy.typing import NDArray

from reproductions.torchvision_compat import import_torchvision

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
class FashionMnist:
    """Images uint8 [N, 28, 28] in 0..255, labels uint8 [N] in 0..9; N is 60,000 for training and 10,000 for the test."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]


def read(root: Path) -> FashionMnist:
    """What ``fetch`` has put below the folder ``root``; the files are not checked again."""
    raw = raw_folder(root)
    # The IDX format: a header of 4 bytes and 4 more for each axis, then the values.
    images = [np.fromfile(raw / name, np.uint8, offset=16).reshape(-1, 28, 28) for name in SHA256 if "images" in name]
    labels = [np.fromfile(raw / name, np.uint8, offset=8) for name in SHA256 if "labels" in name]
    return FashionMnist(images[0], labels[0], images[1], labels[1])


def raw_folder(root: Path) -> Path:
    """Where torchvision keeps the uncompressed files too."""
    return root / "FashionMNIST" / "raw"


def fetch(root: Path) -> None:
    """Make sure that the raw folder below ``root`` holds the four files; DataError tells what was tried."""
    raw = raw_folder(root)
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
            except (DataError, ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
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
    return raw_folder(temporary)


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
