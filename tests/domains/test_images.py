"""The data sets of images: where they come from, and that their files are read as they are meant."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reproductions.shared.images import cifar10, fashion_mnist
from reproductions.shared.torchvision_compat import import_torchvision


@pytest.mark.parametrize("content", [b"altered", b"", b"x" * 100_000_000], ids=["altered", "empty", "larger"])
def test_an_altered_file_is_named_with_both_checksums(content: bytes, tmp_path: Path) -> None:
    """A file that is not the published one is refused, and the error says which and why; nothing is left of it."""
    for file in fashion_mnist.FILES:
        (tmp_path / f"{file}.gz").write_bytes(gzip.compress(content, 1))
    first, published = next(iter(fashion_mnist.FILES.items()))
    with pytest.raises(fashion_mnist.DataError) as caught:
        fashion_mnist.place(tmp_path, tmp_path / "raw")
    reason = "more than" if len(content) > published.size else hashlib.sha256(content).hexdigest()
    for part in (first, published.sha256, reason):
        assert part in str(caught.value)
    assert not any((tmp_path / "raw").iterdir())


def test_a_package_is_checked_against_the_index_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the file, what was found, and what the index says."""
    monkeypatch.setattr(shutil, "which", lambda program: program)

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        assert command[0] in ("apt-get", "apt-cache"), "the package was opened"
        (Path(options["cwd"]) / "data.deb").write_bytes(b"altered")
        return subprocess.CompletedProcess(command, 0, "Package: x\nSHA256: 00ff\n\nSHA256: 11ff\n", "")

    monkeypatch.setattr(subprocess, "run", run)
    checksum = hashlib.sha256(b"altered").hexdigest()
    with pytest.raises(fashion_mnist.DataError, match=rf"data\.deb: sha256 is {checksum}, expected 00ff or 11ff"):
        fashion_mnist._package_download(tmp_path)


def test_only_the_data_are_taken_out_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else is in it, and wherever it would go: nothing leaves the folder."""
    inside = f".{fashion_mnist.PACKAGE_FOLDER}/t10k-labels-idx1-ubyte.gz"
    other = f".{fashion_mnist.PACKAGE_FOLDER}/train-labels-idx1-ubyte.gz"

    def run(command: list[str], stdout: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        with tarfile.open(fileobj=stdout, mode="w") as archive:
            for name in (inside, "../outside", "/tmp/outside-of-everything", f"./..{inside[1:]}"):
                member = tarfile.TarInfo(name)
                member.size = 4
                archive.addfile(member, io.BytesIO(b"data"))
            link = tarfile.TarInfo(other)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    folder = tmp_path / "folder"
    folder.mkdir()
    fashion_mnist._take_out(tmp_path / "data.deb", folder)
    assert sorted(path.name for path in folder.iterdir()) == ["data.tar", "t10k-labels-idx1-ubyte.gz"]
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_unreachable_data_set_names_what_was_tried_and_the_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no source works the error lists each with its reason, and how to help oneself."""

    def offline(temporary: Path) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "not installed")
    monkeypatch.setattr(fashion_mnist, "_download", offline)
    monkeypatch.setattr(fashion_mnist, "_package_download", offline)
    with pytest.raises(
        fashion_mnist.DataError, match=r"(?s)Tried.*not installed.*no network.*Remedies.*dataset-fashion-mnist"
    ):
        fashion_mnist.fetch(tmp_path)


def test_the_files_are_read_as_torchvision_reads_them() -> None:
    """An independent reader finds the same images and labels, in the same order."""
    root = Path("data")
    fashion_mnist.fetch(root)
    ours = fashion_mnist.read(root)
    for train, images, labels in (
        (True, ours.train_images, ours.train_labels),
        (False, ours.test_images, ours.test_labels),
    ):
        theirs = import_torchvision().datasets.FashionMNIST(root, train=train)
        assert torch.equal(theirs.data, torch.from_numpy(images))
        assert np.array_equal(theirs.targets.numpy(), labels)


def test_cifar10_is_read_from_the_publishers_archive_as_it_is_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label, then red, green and blue row by row; other members are left alone."""
    monkeypatch.setattr(cifar10, "COUNT", 3)
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 3, 32, 32), dtype=np.uint8)
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as archive:
        for name, part in zip([*cifar10.TRAIN[::-1], *cifar10.TEST, "readme.html"], [*images, images[0]], strict=True):
            member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
            content = b"".join(bytes([label]) + image.tobytes() for label, image in enumerate(part))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with pytest.raises(fashion_mnist.DataError, match=f"expected {cifar10.SHA256}"):
        cifar10.fetch(tmp_path)
    train, train_labels, test, test_labels = cifar10.read(tmp_path)
    assert np.array_equal(train, images[4::-1].reshape(15, 3, 32, 32))
    assert np.array_equal(test, images[5])
    assert list(train_labels) == [0, 1, 2] * 5
    assert list(test_labels) == [0, 1, 2]


def test_cifar10_that_cannot_be_had_names_the_file_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves nothing behind that could be taken for it."""

    def offline(*arguments: object, **options: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(fashion_mnist.DataError, match=rf"no network.*Remedy.*{cifar10.ARCHIVE}"):
        cifar10.fetch(tmp_path)
    assert not list(tmp_path.glob("cifar*"))
