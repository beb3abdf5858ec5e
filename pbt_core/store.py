"""Checkpoints on disk: one safetensors file each, checksummed, written under a temporary name and renamed.

The JSON part of a checkpoint and a note about its making live in the file's metadata, so that one rename publishes
everything at once. The file's name carries the first digits of the checksum: two writers can never overwrite each
other's content, and a reference to a checkpoint says exactly which bytes are meant.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save


class CheckpointError(RuntimeError):
    """A checkpoint is missing, torn or altered; the message names the file."""


@dataclass(frozen=True)
class Checkpoint:
    """A state as data: named arrays, and whatever JSON can hold. No pickle anywhere."""

    tensors: Mapping[str, NDArray[Any]]
    json: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """Which checkpoint is meant: whose, after how many of its steps, and the checksum of its content."""

    member: int
    step: int
    digest: str

    @property
    def filename(self) -> str:
        return f"m{self.member:05d}-s{self.step:010d}-{self.digest[:16]}.safetensors"


def digest(checkpoint: Checkpoint) -> str:
    """SHA-256 over names, types, shapes and bytes of the arrays and over the JSON part."""
    sha = hashlib.sha256(json.dumps(checkpoint.json, sort_keys=True).encode())
    for name in sorted(checkpoint.tensors):
        array = checkpoint.tensors[name]
        sha.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


class Store:
    """The checkpoints of one run, in one directory that all its workers share."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def save(self, member: int, step: int, checkpoint: Checkpoint, note: Mapping[str, Any]) -> Reference:
        """Write a checkpoint and its note; returns the reference to load it by."""
        reference = Reference(member, step, digest(checkpoint))
        # Only the copy order="C" makes is written, since safetensors ignores strides; np.asarray keeps 0-d arrays 0-d.
        tensors = {name: np.asarray(array, order="C") for name, array in checkpoint.tensors.items()}
        metadata = {
            "json": json.dumps(checkpoint.json, sort_keys=True),
            "note": json.dumps(note, sort_keys=True),
            "sha256": reference.digest,
        }
        path = self.directory / reference.filename
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(save(tensors, metadata))
        os.replace(temporary, path)
        return reference

    def load(self, reference: Reference) -> Checkpoint:
        """Read a checkpoint back; CheckpointError, naming the file, if its bytes are not those that were referred to."""
        path = self.directory / reference.filename
        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
            checkpoint = Checkpoint(tensors, json.loads(metadata["json"]))
        except FileNotFoundError:
            raise CheckpointError(f"checkpoint {path} is missing") from None
        except (SafetensorError, KeyError, ValueError, OSError) as error:
            raise CheckpointError(f"checkpoint {path} is torn or altered: {error}") from None
        if digest(checkpoint) != reference.digest:
            raise CheckpointError(f"checkpoint {path} is torn or altered: its content is not what was recorded")
        return checkpoint

    def notes(self, member: int, step: int) -> list[tuple[Reference, dict[str, Any]]]:
        """The readable checkpoints of ``member`` at ``step`` with their notes; what cannot be read is not listed."""
        found = []
        for path in sorted(self.directory.glob(f"m{member:05d}-s{step:010d}-*.safetensors")):
            try:
                with safe_open(path, framework="numpy") as file:
                    metadata = file.metadata()
                    found.append((Reference(member, step, metadata["sha256"]), json.loads(metadata["note"])))
            except (SafetensorError, KeyError, TypeError, ValueError, OSError):
                continue
        return found

    def keep(self, references: Iterable[Reference]) -> None:
        """Remove every file but those of ``references``; only safe while nobody writes."""
        kept = {reference.filename for reference in references}
        for path in self.directory.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def remove(self, reference: Reference) -> None:
        (self.directory / reference.filename).unlink(missing_ok=True)
