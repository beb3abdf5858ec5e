"""The bytes of a safetensors file, byte for byte as the library ``safetensors`` writes them.

Checkpoints of one run differ in their numbers alone: names, types and shapes stay. What follows from these, the order of
the tensors and most of the header, is worked out once: 6 microseconds of CPU for 18 tensors, where the library takes 80, which
is a thirteenth of all that an interval costs (``python benchmarks/checkpoint_bytes.py``; docs/cost.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: numpy's types by safetensors' names for them. In a file the tensors of the last type come first; those of one type are in
#: the order of their names.
TYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "complex64": "C64",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
_RANKS = {kind: i for i, name in enumerate(TYPES) for kind in (np.dtype(name), np.dtype(name).newbyteorder("S"))}
#: Only what JSON asks for is escaped, as in the library.
_TEXT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
Signature = tuple[tuple[str, "np.dtype[Any]", tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What tensors of given names, types and shapes make of a file: their order, and the header after its metadata."""

    order: tuple[str, ...]
    entries: str


def file_bytes(tensors: Mapping[str, NDArray[Any]], metadata: str) -> bytes:
    """A file of ``tensors``, contiguous and little-endian, and of one entry of metadata, ``pbt``."""
    layout = _layout(tuple([(name, array.dtype, array.shape) for name, array in tensors.items()]))
    header = f'{{"__metadata__":{{"pbt":{_TEXT.encode(metadata)}}}{layout.entries}}}'.encode()
    header += b" " * (-len(header) % 8)
    arrays: list[Any] = [tensors[name] for name in layout.order]
    return b"".join([len(header).to_bytes(8, "little"), header, *arrays])  # the only copy


@lru_cache(maxsize=64)
def _layout(signature: Signature) -> Layout:
    entries, begin, order = [], 0, sorted(signature, key=lambda entry: (-_RANKS[entry[1]], entry[0].encode()))
    for name, dtype, shape in order:
        end = begin + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        entry = {"dtype": TYPES[dtype.name], "shape": shape, "data_offsets": [begin, end]}
        entries.append(f",{_TEXT.encode(name)}:{_TEXT.encode(entry)}")
        begin = end
    return Layout(tuple(name for name, _, _ in order), "".join(entries))
