"""Fashion-MNIST: where it comes from, and that its files are read as they are meant."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from reproductions.images import fashion_mnist
from reproductions.torchvision_compat import import_torchvision


def test_an_altered_file_is_named_with_both_checksums(tmp_path: Path) -> None:
    """A file that is not the published one is refused, and the error says which and why."""
    for file in fashion_mnist.SHA256:
        (tmp_path / f"{file}.gz").write_bytes(gzip.compress(b"altered"))
    first = next(iter(fashion_mnist.SHA256))
    with pytest.raises(fashion_mnist.DataError) as caught:
        fashion_mnist.place(tmp_path, tmp_path / "raw")
    for part in (first, fashion_mnist.SHA256[first], hashlib.sha256(b"altered").hexdigest()):
        assert part in str(caught.value)
    assert not any((tmp_path / "raw").iterdir())


def test_an_unreachable_data_set_names_what_was_tried_and_the_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no source works the error lists each with its reason, and how to help oneself."""

    def offline(temporary: Path) -> Path:
        raise OSError("no network")

    monkeypatch.setattr(fashion_mnist, "PACKAGE_FOLDER", tmp_path / "not installed")
    monkeypatch.setattr(fashion_mnist, "_torchvision_download", offline)
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
