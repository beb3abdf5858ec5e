"""What runs share and do not make themselves: fetched or built once, by whoever comes first, and checked by its checksum.

Whatever comes from elsewhere is checked before it is unpacked or read, and no more of it is read than there should be.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import json
import shutil
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pbt_core.files import locked, write_whole

MANIFEST = "manifest.json"


class DataError(RuntimeError):
    """Data are missing or not what they should be; the message names files and remedies."""


@contextlib.contextmanager
def workspace(target: Path) -> Iterator[Path]:
    """An empty folder to make ``target`` in, on its file system; processes that come at once wait for the first.

    Whoever gets it looks again whether ``target`` is there, and renames what it made to it as the last step. So a process
    that is killed in the middle leaves nothing that could be taken for ``target``, only rests that the next one clears away.
    """
    area = target.with_name(f".{target.name}.making")
    with locked(area, wait=True):
        empty = area / "new"
        shutil.rmtree(empty, ignore_errors=True)
        empty.mkdir()
        try:
            yield empty
        finally:
            shutil.rmtree(empty, ignore_errors=True)


def once(folder: Path, build: Callable[[Path], None]) -> Path:
    """``folder``, filled by ``build(empty folder)`` unless it is there already; DataError if a file in it was altered.

    Equal content gives equal bytes, the manifest of checksums included.
    """
    if not folder.exists():
        with workspace(folder) as empty:
            if not folder.exists():  # another process may have built it while this one waited
                build(empty)
                digests = {path.name: sha256(path) for path in sorted(empty.iterdir())}
                write_whole(empty / MANIFEST, json.dumps(digests, indent=1) + "\n")
                empty.rename(folder)
    check(folder)
    return folder


def check(folder: Path) -> None:
    """DataError naming the first file of ``folder`` that is missing or not the one of the manifest."""
    try:
        for name, expected in json.loads((folder / MANIFEST).read_text(encoding="utf-8")).items():
            if (found := sha256(folder / name)) != expected:
                raise ValueError(f"sha256 of {name} is {found}, of the manifest {expected}")
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{folder} is torn or altered ({error}); remove the folder to build it again") from None


def verified(path: Path, expected: str) -> Path:
    """``path``, whose content has the sha256 ``expected``; else DataError with both."""
    if (found := sha256(path)) != expected:
        raise DataError(f"{path}: sha256 is {found}, expected {expected}; remove the file to fetch it again")
    return path


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(path: Path, size: int, expected: str) -> bytes:
    """The content of a file, inflated if it ends in .gz: ``size`` bytes with the sha256 ``expected``; or DataError.

    At most one byte more is read, whatever the file would inflate to.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            read = file.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); remove the file to fetch it again") from None
    digest = hashlib.sha256(read).hexdigest() if len(read) <= size else f"that of more than {size} bytes"
    if digest != expected:
        raise DataError(
            f"{path}: sha256 of the content is {digest}, expected {expected}; remove the file to fetch it again"
        )
    return read


def download(url: str, path: Path, size: int, expected: str) -> Path:
    """Fetch ``url`` into ``path``: ``size`` bytes with the sha256 ``expected``; DataError if it gives others, or OSError."""
    left = size + 1
    try:
        # Seconds between two answers; without a limit this would wait for ever behind a silent firewall.
        with urllib.request.urlopen(url, timeout=30) as answer, path.open("wb") as file:
            while left and (block := answer.read(min(left, 1 << 20))):
                file.write(block)
                left -= len(block)
    except http.client.HTTPException as error:
        raise OSError(f"{url}: {error!r}") from None
    if left != 1:
        raise DataError(f"{url}: {'more' if not left else 'less'} than {size} bytes, which has sha256 {expected}")
    if (found := sha256(path)) != expected:
        raise DataError(f"{url}: sha256 is {found}, expected {expected}")
    return path
