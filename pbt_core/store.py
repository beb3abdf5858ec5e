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
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from pbt_core.compact import compact
from pbt_core.files import make_folder, read_bytes, sync_folder, write_all
from pbt_core.layout import TYPES, file_bytes
from pbt_core.schema import DIGEST
from pbt_core.values import base_of, is_text

#: Hexadecimal digits of SHA-256 that are kept: 128 bits.
DIGITS = 32


class CheckpointError(RuntimeError):
    """A checkpoint is missing, torn or altered; the message names the file."""


#: Names that begin so belong to the member, not to its weights.
OWN = "own."


@dataclass(frozen=True)
class Checkpoint:
    """A state as data: named arrays, and numbers, texts, lists, tuples and dictionaries. No pickle anywhere.

    Everything comes back as it was saved, infinities, tuples and keys that are no texts included; numpy's scalars come back
    as Python's, and what is of a class derived from a number, a text, a list or a tuple as that. What cannot is refused when
    it is saved.

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


@dataclass(frozen=True, slots=True)
class Reference:
    """Names a checkpoint: its member, after how many of the member's steps, and the checksum of its file (32 hex digits)."""

    member: int
    step: int
    digest: str

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def filename(self) -> str:
        return f"m{self.member:05d}-s{self.step:010d}-{self.digest}.safetensors"


def _adopted(copied: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any]:
    weights = {name: value for name, value in copied.items() if not name.startswith(OWN)}
    return weights | {name: value for name, value in kept.items() if name.startswith(OWN)}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checkpoint that was checked and can be written: arrays as safetensors wants them, and the JSON part as text."""

    tensors: Mapping[str, NDArray[Any]]
    json: str


def prepared(checkpoint: Any, function: str = "the task") -> Prepared:
    """TypeError, naming the entry and the rule, unless ``function`` returned a checkpoint that can be kept."""
    if not isinstance(checkpoint, Checkpoint):
        raise TypeError(f"{function} must return a Checkpoint, not {type(checkpoint).__name__}")
    for part, kind in ((checkpoint.tensors, "tensors"), (checkpoint.json, "json")):
        if not isinstance(part, Mapping):
            raise TypeError(f"{function} returned a Checkpoint whose {kind} are no mapping but {type(part).__name__}")
    # Nearly all arrays can be written as they are, which is found out without a call for each.
    tensors = {
        name: array
        if array.__class__ is np.ndarray
        and array.dtype in _AS_WRITTEN
        and array.flags.c_contiguous
        and name.__class__ is str
        and name.isascii()
        and name != _METADATA
        else _prepared_array(name, array, function)
        for name, array in checkpoint.tensors.items()
    }
    return Prepared(tensors, _json_text(checkpoint.json, f"{function} returned a Checkpoint whose json"))


def _prepared_array(name: Any, array: Any, function: str) -> NDArray[Any]:
    if not isinstance(name, str) or name == _METADATA or not is_text(name):
        raise TypeError(f"{function} returned a Checkpoint with the name {name!r}, which no tensor can have")
    if not isinstance(array, np.ndarray | np.generic):
        raise TypeError(f"{function} returned a Checkpoint whose tensor {name!r} is a {type(array).__name__}, no array")
    if isinstance(array, np.ma.MaskedArray):
        what = f"{function} returned a Checkpoint whose tensor {name!r} is masked"
        raise TypeError(f"{what}: keep its data and its mask as two tensors")
    little = array.dtype.newbyteorder("<")
    if little not in _AS_WRITTEN:
        kinds = f"one of {', '.join(sorted(TYPES))}"
        raise TypeError(f"{function} returned a Checkpoint whose tensor {name!r} is of {array.dtype}, not {kinds}")
    return np.asarray(array, little, order="C")  # keeps 0-d arrays 0-d


#: The key of a safetensors file's header that is no tensor.
_METADATA = "__metadata__"
_AS_WRITTEN = {np.dtype(name).newbyteorder("<") for name in TYPES}

_SCALARS = {str, float, int, bool, type(None)}


def _to_json(value: Any) -> Any:
    """``value`` in JSON's types: tuples, and dictionaries that JSON does not have, are marked by a key with a ``$``.

    _Unkept, with the path to it, for a value that cannot be kept.
    """
    kind = value.__class__
    if kind in _SCALARS:
        return value
    if kind is list:
        return [item if item.__class__ in _SCALARS else _within(i, item) for i, item in enumerate(value)]
    if kind is tuple:
        return {"$tuple": _to_json(list(value))}
    if kind is dict or isinstance(value, Mapping):
        for key in value:
            if key.__class__ is not str or key[:1] == "$":
                return {"$items": [[_to_json(key), _within(key, item)] for key, item in value.items()]}
        return {key: item if item.__class__ in _SCALARS else _within(key, item) for key, item in value.items()}
    if isinstance(value, np.generic) and not isinstance(item := value.item(), np.generic):
        return _to_json(item)
    if (base := base_of(value)) is not None:
        return _to_json(base)
    raise _Unkept(kind.__name__)


class _Unkept(Exception):
    """A value that cannot be kept, by its type's name; ``way`` is the path to it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.way: list[Any] = []


def _within(key: Any, item: Any) -> Any:
    try:
        return _to_json(item)
    except _Unkept as error:
        error.way.insert(0, key)
        raise


class PlainJson(dict[str, Any]):
    """A JSON part of nothing but JSON's own types, as ``pbt_core.torch.pack`` makes it: it need not be looked through."""


def _json_text(value: Any, where: str) -> str:
    """``value`` as JSON text; TypeError, with its place, for what cannot be kept."""
    try:
        return _as_json(value if value.__class__ is PlainJson else _to_json(value))
    except _Unkept as error:
        place = "".join(f".{key}" for key in error.way)
        what = f"{where}{place} holds a {error}, which cannot be kept"
        raise TypeError(f"{what}: only numbers, texts, lists, tuples, dictionaries") from None


def _from_json(value: Any) -> Any:
    if value.__class__ is list:
        return [_from_json(item) for item in value]
    if value.__class__ is dict:
        if value.keys() == {"$tuple"}:
            return tuple(_from_json(item) for item in value["$tuple"])
        if value.keys() == {"$items"}:
            return {_from_json(key): _from_json(item) for key, item in value["$items"]}
        return {key: _from_json(item) for key, item in value.items()}
    return value


# Infinities and NaN are written as Python reads them back; no other program reads these parts.
_as_json = compact(allow_nan=True)


def serialise(checkpoint: Prepared, note: Mapping[str, Any]) -> bytes:
    """The bytes of a checkpoint's file: equal checkpoints and notes give equal bytes."""
    # The metadata are a single entry, since the library writes several in no particular order.
    return file_bytes(checkpoint.tensors, f"[{checkpoint.json},{_json_text(note, 'note')}]")


def named(
    member: int, step: int, checkpoint: Checkpoint | Prepared, note: Mapping[str, Any]
) -> tuple[Reference, bytes]:
    """A checkpoint's reference and the bytes of its file."""
    content = serialise(checkpoint if isinstance(checkpoint, Prepared) else prepared(checkpoint), note)
    return Reference(member, step, hashlib.sha256(content).hexdigest()[:DIGITS]), content


def digest(checkpoint: Checkpoint) -> str:
    """The checksum of a state alone: equal for equal states, whichever member or run made them."""
    return hashlib.sha256(serialise(prepared(checkpoint), {})).hexdigest()[:DIGITS]


class Store:
    """The checkpoints of one run, in one directory that all its workers share.

    durable: whether a checkpoint is on the disk, and not only with the operating system, before it is referred to:
    then not even a loss of power costs it.
    """

    def __init__(self, directory: Path, durable: bool = False) -> None:
        self.directory, self.durable = directory, durable
        self._folder = str(directory)
        make_folder(directory)

    @classmethod
    def reading(cls, directory: Path) -> Store:
        """A store for reading only: no folder is made."""
        store = cls.__new__(cls)
        store.directory, store.durable, store._folder = directory, False, str(directory)
        return store

    def save(
        self,
        member: int,
        step: int,
        checkpoint: Checkpoint | Prepared,
        note: Mapping[str, Any],
        recycle: Reference | None = None,
    ) -> Reference:
        """Write a checkpoint and its note; returns the reference to load it by.

        ``recycle`` names a checkpoint that is needed no more: its file is written over and renamed, which costs a
        fraction of making a file and removing another.
        """
        reference, content = named(member, step, checkpoint, note)
        # Plain calls instead of pathlib: this happens after every interval of every member. A name of its own for each
        # writer: two machines may do one interval again at once, in processes of one number.
        path = f"{self._folder}/{reference.filename}"
        other = f"{self._folder}/{recycle.filename}" if recycle else f"{path}.{uuid.uuid4().hex}.tmp"
        file = os.open(other, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            write_all(file, content)
            if os.fstat(file).st_size != len(content):
                os.ftruncate(file, len(content))
            if self.durable:
                os.fsync(file)
        finally:
            os.close(file)
        os.replace(other, path)
        if self.durable:
            sync_folder(self._folder)
        return reference

    def load(self, reference: Reference) -> Checkpoint:
        """Read a checkpoint back; CheckpointError, naming the file, if its bytes are not those that were referred to."""
        path = self.directory / reference.filename
        content = self._read(path)
        if hashlib.sha256(content).hexdigest()[:DIGITS] != reference.digest:
            raise CheckpointError(f"checkpoint {path} is torn or altered: its checksum is not the recorded one")
        try:
            part, _ = _metadata(content)
            return Checkpoint(load(content), part)
        except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise CheckpointError(f"checkpoint {path} holds no state: {error}") from None

    def notes(self, member: int, step: int) -> list[tuple[Reference, dict[str, Any]]]:
        """The intact checkpoints of ``member`` at ``step`` with their notes; torn ones are left out."""
        intact = []
        for path in sorted(self.directory.glob(f"m{member:05d}-s{step:010d}-*.safetensors")):
            digest = path.stem.rpartition("-")[2]
            if not DIGEST.fullmatch(digest):
                continue
            with contextlib.suppress(
                CheckpointError, SafetensorError, ValueError, LookupError, TypeError, RecursionError
            ):
                content = self._read(path)
                if hashlib.sha256(content).hexdigest()[:DIGITS] == digest:
                    intact.append((Reference(member, step, digest), _metadata(content)[1]))
        return intact

    def keep(self, references: Iterable[Reference]) -> None:
        """Remove every checkpoint but ``references``, and what killed writers left; only safe while no process writes."""
        for path in self.all_but(references):
            path.unlink(missing_ok=True)

    def all_but(self, references: Iterable[Reference]) -> list[Path]:
        """The files of all checkpoints but ``references``, and what killed writers left."""
        kept = {reference.filename for reference in references}
        files = (path for path in self.directory.iterdir() if path.suffix in (".safetensors", ".tmp"))
        return [path for path in files if path.name not in kept and not path.is_dir()]

    def remove(self, reference: Reference) -> None:
        """Remove a checkpoint that is needed no more."""
        (self.directory / reference.filename).unlink(missing_ok=True)

    def _read(self, path: Path) -> bytes:
        try:
            return read_bytes(path)
        except OSError as error:
            raise CheckpointError(f"checkpoint {path} cannot be read: {error.strerror}") from None


def _metadata(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The JSON part and the note in a safetensors file: eight bytes of length, then a header of JSON."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    part, note = _from_json(json.loads(header["__metadata__"]["pbt"]))
    return part, note
