"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017; MIT licence): fetched where it costs least, checked, read as arrays.

It is looked for in the raw folder below the root, the folder of Debian's package ``dataset-fashion-mnist``, the
publisher's download, and the package fetched without being installed. Whatever the source, the uncompressed files have to
have the known checksums; what is downloaded is checked as a whole before it is unpacked.
"""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pbt_core.files import write_whole
from reproductions.shared import assets
from reproductions.shared.assets import DataError

__all__ = ["FILES", "DataError", "FashionMnist", "fetch", "place", "raw_folder", "read"]

PACKAGE = "dataset-fashion-mnist"
PACKAGE_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian installs the package
URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


@dataclass(frozen=True)
class Published:
    """A file: its bytes and their sha256, and those of the publisher's .gz. Other sources compress the same content anew."""

    size: int
    sha256: str
    packed_size: int
    packed_sha256: str


FILES: Mapping[str, Published] = {
    "train-images-idx3-ubyte": Published(
        16 + 60_000 * 784,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    ),
    "train-labels-idx1-ubyte": Published(
        8 + 60_000,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    ),
    "t10k-images-idx3-ubyte": Published(
        16 + 10_000 * 784,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    ),
    "t10k-labels-idx1-ubyte": Published(
        8 + 10_000,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    ),
}


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
    images = [np.fromfile(raw / name, np.uint8, offset=16).reshape(-1, 28, 28) for name in FILES if "images" in name]
    labels = [np.fromfile(raw / name, np.uint8, offset=8) for name in FILES if "labels" in name]
    return FashionMnist(images[0], labels[0], images[1], labels[1])


def raw_folder(root: Path) -> Path:
    """Where torchvision keeps the uncompressed files too."""
    return root / "FashionMNIST" / "raw"


def fetch(root: Path) -> None:
    """Make sure that the raw folder below ``root`` holds the four files; DataError tells what was tried."""
    raw = raw_folder(root)
    if not _is_complete(raw):
        raw.mkdir(parents=True, exist_ok=True)  # or nothing that is fetched could be put there
        with assets.workspace(raw) as temporary:
            if not _is_complete(raw):  # another process may have fetched them while this one waited
                _fetch(raw, temporary)
    for file, published in FILES.items():
        assets.verified(raw / file, published.sha256)


def _is_complete(raw: Path) -> bool:
    return all((raw / file).exists() for file in FILES)


def _fetch(raw: Path, temporary: Path) -> None:
    tried = [f"{raw}: {sum((raw / file).exists() for file in FILES)} of {len(FILES)} files"]
    sources: dict[str, Callable[[Path], Path]] = {
        str(PACKAGE_FOLDER): lambda _: PACKAGE_FOLDER,
        f"download from {URL}": _download,
        f"apt-get download {PACKAGE}": _package_download,
    }
    for number, (source, get) in enumerate(sources.items()):
        own = temporary / str(number)
        own.mkdir()
        try:
            place(get(own), raw)
            return
        except (DataError, OSError, subprocess.SubprocessError, tarfile.TarError) as error:
            tried.append(f"{source}: {error}")
    raise DataError(
        f"Fashion-MNIST cannot be obtained. Tried: {'; '.join(tried)}. Remedies: install Debian's package {PACKAGE}, "
        "or run where the internet is reachable, "
        f"or put the files {', '.join(FILES)} (uncompressed) into {raw}"
    )


def place(source: Path, raw: Path) -> None:
    """Copy the four files (plain or .gz) from ``source`` to ``raw``, each checked and whole."""
    raw.mkdir(parents=True, exist_ok=True)
    for file, published in FILES.items():
        packed = source / f"{file}.gz"
        path = packed if packed.exists() else source / file
        write_whole(raw / file, assets.content(path, published.size, published.sha256))


def _download(temporary: Path) -> Path:
    for file, published in FILES.items():
        name = f"{file}.gz"
        assets.download(f"{URL}/{name}", temporary / name, published.packed_size, published.packed_sha256)
    return temporary


def _package_download(temporary: Path) -> Path:
    """Fetch Debian's package and take the files out of it; needs apt-get and dpkg-deb but neither root nor an installation."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise DataError("apt-get and dpkg-deb are not on this system")
    _run(["apt-get", "download", PACKAGE], temporary)
    (package,) = temporary.glob("*.deb")
    # Of any version: what apt's signed index says of it.
    index = _run(["apt-cache", "show", PACKAGE], temporary)
    known = [line.partition(": ")[2].strip() for line in index.splitlines() if line.startswith("SHA256: ")]
    if (found := assets.sha256(package)) not in known:
        raise DataError(f"{package}: sha256 is {found}, expected {' or '.join(known) or 'one in apt-cache show'}")
    _take_out(package, temporary)
    return temporary


def _take_out(package: Path, folder: Path) -> None:
    """Write the files of the data set, and no others, from a Debian package into ``folder``."""
    wanted = {f".{PACKAGE_FOLDER / file}.gz": file for file in FILES}
    archive = folder / "data.tar"
    with archive.open("wb") as file:
        command = ["dpkg-deb", "--fsys-tarfile", str(package)]
        done = subprocess.run(command, check=False, stdout=file, stderr=subprocess.PIPE, text=True, timeout=300)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
    with tarfile.open(archive) as members:
        for member in members:
            name, packed = wanted.get(member.name), members.extractfile(member) if member.isfile() else None
            if name is not None and packed is not None:
                # Compressed anew, but hardly larger than what it is to become.
                (folder / f"{name}.gz").write_bytes(packed.read(FILES[name].size))


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
