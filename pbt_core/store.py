"""Checkpoints on disk: one safetensors file each, written under another name and renamed, its checksum in its name.

The JSON part of a checkpoint and a note about its making live in the file's metadata, so that one rename publishes
everything at once. Since the name carries the checksum of the whole file, two writers can never overwrite each other's
content, and a reference to a checkpoint says exactly which bytes are meant.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pbt_core.events import dump

#: Hexadecimal digits of SHA-256 that are kept: 128 bits.
DIGITS = 32


class CheckpointError(RuntimeError):
    """A checkpoint is missing, torn or altered; the message names the file."""


#: Names that begin so belong to the member, not to its weights.
OWN = "own."


@dataclass(frozen=True)
class Checkpoint:
    """A state as data: named arrays, and whatever JSON can hold. No pickle anywhere.

    Entries whose names begin with ``own.`` stay with their member when it copies another's weights: environments that
    keep running across a clone, for example.
    """

    tensors: Mapping[str, NDArray[Any]]
    json: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_own(self) -> bool:
        """Whether anything here stays with its member."""
        return any(name.startswith(OWN) for name in (*self.tensors, *self.json))

    def adopted_by(self, member: Checkpoint) -> Checkpoint:
        """This state with the ``own.`` entries of ``member`` in place of its own."""
        return Checkpoint(_adopted(self.tensors, member.tensors), _adopted(self.json, member.json))


@dataclass(frozen=True)
class Reference:
    """Which checkpoint is meant: whose, after how many of its steps, and the checksum of its file."""

    member: int
    step: int
    digest: str

    @property
    def filename(self) -> str:
        return f"m{self.member:05d}-s{self.step:010d}-{self.digest}.safetensors"


def _adopted(copied: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    weights = {name: value for name, value in copied.items() if not name.startswith(OWN)}
    return weights | {name: value for name, value in kept.items() if name.startswith(OWN)}


def serialise(checkpoint: Checkpoint, note: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint's file: equal checkpoints and notes give equal bytes."""
    # safetensors ignores strides, hence order="C"; np.asarray keeps 0-d arrays 0-d. The metadata are a single entry,
    # since safetensors writes several in no particular order.
    tensors = {name: np.asarray(array, order="C") for name, array in checkpoint.tensors.items()}
    return save(tensors, {"pbt": dump([checkpoint.json, note])})


def digest(checkpoint: Checkpoint) -> str:
    """The checksum of a state alone: equal for equal states, whoever made them."""
    return hashlib.sha256(serialise(checkpoint, {})).hexdigest()[:DIGITS]


class Store:
    """The checkpoints of one run, in one directory that all its workers share."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._folder = str(directory)
        directory.mkdir(parents=True, exist_ok=True)

    def save(
        self,
        member: int,
        step: int,
        checkpoint: Checkpoint,
        note: Mapping[str, Any],
        recycle: Reference | None = None,
    ) -> Reference:
        """Write a checkpoint and its note; returns the reference to load it by.

        ``recycle`` names a checkpoint that nobody needs any more: its file is written over and renamed, which costs a
        fraction of making a file and removing another.
        """
        content = serialise(checkpoint, note)
        reference = Reference(member, step, hashlib.sha256(content).hexdigest()[:DIGITS])
        # Plain calls instead of pathlib: this happens after every interval of every member.
        path = f"{self._folder}/{reference.filename}"
        other = f"{self._folder}/{recycle.filename}" if recycle else f"{path}.{os.getpid()}.tmp"
        with os.fdopen(os.open(other, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as file:
            file.write(content)
            file.truncate()
        os.replace(other, path)
        return reference

    def load(self, reference: Reference) -> Checkpoint:
        """Read a checkpoint back; CheckpointError, naming the file, if its bytes are not those that were referred to."""
        path = self.directory / reference.filename
        try:
            content = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest()[:DIGITS] != reference.digest:
            raise CheckpointError(f"checkpoint {path} is torn or altered: its checksum is not the recorded one")
        part, _ = _metadata(content)
        return Checkpoint(load(content), part)

    def notes(self, member: int, step: int) -> list[tuple[Reference, dict[str, Any]]]:
        """The whole checkpoints of ``member`` at ``step`` with their notes; torn ones are not listed."""
        found = []
        for path in sorted(self.directory.glob(f"m{member:05d}-s{step:010d}-*.safetensors")):
            reference = Reference(member, step, path.stem.rpartition("-")[2])
            with contextlib.suppress(OSError, SafetensorError, ValueError, KeyError):
                content = path.read_bytes()
                if hashlib.sha256(content).hexdigest()[:DIGITS] == reference.digest:
                    found.append((reference, _metadata(content)[1]))
        return found

    def keep(self, references: Iterable[Reference]) -> None:
        """Remove every file but those of ``references``; only safe while nobody writes."""
        kept = {reference.filename for reference in references}
        for path in self.directory.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def remove(self, reference: Reference) -> None:
        """Remove a checkpoint that nobody needs any more."""
        (self.directory / reference.filename).unlink(missing_ok=True)


def _metadata(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON part and the note in a safetensors file: eight bytes of length, then a header of JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    part, note = json.loads(header["__metadata__"]["pbt"])
    return part, note
