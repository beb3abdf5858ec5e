"""What runs share and do not make themselves: fetched or built once, by whoever comes first, and checked by its checksum.

Whatever comes from elsewhere is checked before it is unpacked or read, and no more of it is read than there should be.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import hashlib
import http.client
import io
import json
import os
import shutil
import stat
import urllib.request
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from pbt_core.files import locked, write_whole
from pbt_core.values import shown
from reproductions.suite.study.registry import ConfigError

MANIFEST = "manifest.json"
#: Bytes. A manifest has a line for each of a few files.
_LONGEST_MANIFEST = 1 << 20
#: The value of the setting ``task.data`` that stands for a folder of ours, which is made where it is missing.
DEFAULT_FOLDER = "data"


class DataError(RuntimeError):
    """Data are missing or not what they should be; the message names files and remedies."""


@contextlib.contextmanager
def data_folder(root: str) -> Iterator[Path]:
    """The folder that the setting ``task.data`` names, for a block that gets data there. The default one may be missing.

    ConfigError, in one line that begins with the setting, for another folder that is not there, and for what the block finds
    wrong with the data: DataError, or an OSError of a file.
    """
    if root != DEFAULT_FOLDER and not os.path.isdir(root):  # noqa: PTH112 - False, too, for what no path can be
        raise ConfigError(
            f"task.data = {shown(root)} must be a folder that is there: make it with mkdir, or leave the setting out, which "
            f"makes {DEFAULT_FOLDER!r}"
        )
    try:
        yield Path(root)
    except (DataError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise  # of no file
        raise ConfigError(f"task.data = {shown(root)}: {reason_of(error)}") from None


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


def once(folder: Path, names: Collection[str], build: Callable[[Path], None]) -> Path:
    """``folder`` with the files ``names``, made by ``build(empty folder)`` unless it is there; DataError if one was altered.

    Equal content gives equal bytes, the manifest of checksums included.
    """
    if not os.path.lexists(folder):
        with workspace(folder) as empty:
            if not os.path.lexists(folder):  # another process may have built it while this one waited
                build(empty)
                digests = {name: sha256(empty / name) for name in sorted(names)}
                write_whole(empty / MANIFEST, json.dumps(digests, indent=1) + "\n")
                empty.rename(folder)
    check(folder, names)
    return folder


def check(folder: Path, names: Collection[str]) -> None:
    """DataError unless ``folder`` holds the files ``names``, all of them those of its manifest; it says which is not."""
    try:
        digests = _manifest(folder / MANIFEST)
        if not isinstance(digests, dict) or set(digests) != set(names):
            raise ValueError(f"{MANIFEST} must hold the checksums of {', '.join(sorted(names))}, and no others")
        for name in sorted(names):
            if (found := sha256(folder / name)) != digests[name]:
                raise ValueError(f"sha256 of {name} is {found}, of the manifest {shown(digests[name])}")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{folder} is torn or altered ({reason_of(error)}); remove the folder to build it again"
        ) from None


def _manifest(path: Path) -> Any:
    with regular(path) as file:
        content = file.read(_LONGEST_MANIFEST)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # nested too deeply, or a number of too many digits
        raise ValueError(f"{path.name} is no JSON that can be read") from None


def verified(path: Path, expected: str) -> Path:
    """``path``, a file whose content has the sha256 ``expected``; else DataError with both."""
    try:
        found = sha256(path)
    except OSError as error:
        raise DataError(f"{reason_of(error)}; remove it to fetch it again") from None
    if found != expected:
        raise DataError(f"{path}: sha256 is {found}, expected {expected}; remove the file to fetch it again")
    return path


def regular(path: Path) -> io.BufferedReader:
    """A file, opened to be read; OSError if it is a folder, a device or a pipe, of which reading might never end."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe without a writer would be waited for
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "must be a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def reason_of(error: Exception) -> str:
    """What an error says, without its number: the file first."""
    if isinstance(error, FileExistsError):
        return f"{error.filename} must be a folder"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def sha256(path: Path) -> str:
    """The hexadecimal digest of a file's content; OSError if it is no file."""
    with regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(path: Path, size: int, expected: str) -> bytes:
    """The content of a file, inflated if it ends in .gz: ``size`` bytes with the sha256 ``expected``; or DataError.

    At most one byte more is read, whatever the file would inflate to.
    """
    try:
        with regular(path) as packed, gzip.open(packed) if path.suffix == ".gz" else packed as file:
            read = file.read(size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: not a whole gzip file ({error}); remove the file to fetch it again") from None
    except OSError as error:
        raise DataError(f"{reason_of(error)}; remove it to fetch it again") from None
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
