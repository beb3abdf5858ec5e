"""The figures in a folder, each looked at before anything is made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from reproductions.suite.study.inputs import InputError, folder_at, read_bytes, shown

#: By the ending of a file its media type, and what its content begins with.
KINDS = {".png": ("image/png", (b"\x89PNG\r\n\x1a\n",)), ".svg": ("image/svg+xml", (b"<?xml", b"<svg"))}


def pictures(folder: Path, endings: Sequence[str] = tuple(KINDS)) -> Iterator[tuple[Path, bytes]]:
    """The files with these endings in a folder, by name, and their contents; none where there is no folder.

    InputError for one that is not what its name says, and for a name that cannot be printed.
    """
    if not os.path.lexists(folder):
        return
    for path in sorted(folder_at(folder).iterdir()):
        if path.suffix not in endings:
            continue
        if not path.name.isprintable():
            raise InputError(f"{folder}: the name of the figure {shown(path.name)} must be printable")
        content, (kind, beginnings) = read_bytes(path), KINDS[path.suffix]
        if not content[:100].lstrip().startswith(beginnings):
            raise InputError(f"{path}: must be an image of the type {kind}, as its name says")
        yield path, content
