"""Files that are whole or not there, and work that only one process does at a time. Needs a POSIX system (``fcntl``)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import gc
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pbt_core.errors import RunError
from pbt_core.values import shown

#: What can stand where a file should, by the type in its mode.
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def must_be_file(path: Path, folder: int | None = None) -> None:
    """OSError, which says what it is, unless a regular file or nothing stands at ``path``, links followed.

    To open a pipe waits for its other end, and a device may be read without an end. folder: the handle of the one that a
    relative path begins in.
    """
    try:
        kind = stat.S_IFMT(os.stat(path, dir_fd=folder).st_mode)
    except FileNotFoundError:
        return
    if kind != stat.S_IFREG:
        raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, and no file", str(path))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are missing. RunError, which says why, where that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise RunError(f"{folder} cannot be made: it, or what should be a folder above it, is something else") from None
    except OSError as error:
        raise RunError(f"{folder} cannot be made: {error.strerror}") from None


def opened(path: Path) -> BinaryIO:
    """A file, open to be read. OSError as from ``open``, and, before it is opened, for what is no regular file."""
    must_be_file(path)
    return path.open("rb")


def read_bytes(path: Path) -> bytes:
    """The content of a file. OSError as from ``opened``."""
    with opened(path) as file:
        return file.read()


class Busy(RuntimeError):
    """Another process holds the lock; the message names the folder."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``, renamed to it when the block ends well and removed when it does not.

    What stood at ``path`` stays until then. For files only.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp{path.suffix}")
    temporary.touch(exist_ok=False)  # as public as any other file, which those of tempfile are not
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def located(path: Path | str, name: str = "path") -> Path:
    """The place that ``path`` names, as a shell has it: ``~`` is the home.

    ValueError, which calls it ``name``, for an empty text, no path, one that is too long for the file system, and no home.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise ValueError(f"{name} = {shown(path)} must be the path of a file or folder")
    place = os.fspath(path)
    if not isinstance(place, str) or "\0" in place:
        raise ValueError(f"{name} = {shown(path)} must be the path of a file or folder, without a zero byte")
    try:
        found = Path(path).expanduser()
        found.lstat()
    except RuntimeError:
        raise ValueError(f"{name} = {shown(str(path))}: there is no such home folder") from None
    except OSError as error:  # else it is not there, or not to be seen, which whoever uses it finds out
        if error.errno == errno.ENAMETOOLONG:
            raise ValueError(f"{name} = {shown(str(path))} must be shorter: {error.strerror}") from None
    return found


def write_whole(path: Path, content: bytes | str, durable: bool = False) -> None:
    """Write ``content`` (text as UTF-8) to ``path``, at once or not at all; if ``durable``, to the disk before it returns."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path | str) -> None:
    """Bring the names in a folder to the disk: a rename is only there for good when they are."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of ``content``, which the operating system may take in parts."""
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, memoryview(content)[written:])


class Handle:
    """An open file that notices when other code in this process has closed its descriptor, which may then be another file's."""

    def __init__(self, path: Path, flags: int) -> None:
        must_be_file(path)
        self.number = os.open(path, flags, 0o666)
        status = os.fstat(self.number)
        self._file = status.st_dev, status.st_ino

    def is_open(self) -> bool:
        try:
            status = os.fstat(self.number)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self._file

    def close(self) -> None:
        if self.is_open():
            os.close(self.number)


@contextlib.contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Hold ``folder`` (made if missing) alone, through its file ``lock``; the system lets go when the process ends.

    Raises Busy where another process holds it, unless this is to ``wait`` until it lets go; RunError where it cannot be held.
    """
    make_folder(folder)
    try:
        handle = Handle(folder / "lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise RunError(f"{folder / 'lock'} cannot be held: {error.strerror}") from None
    with contextlib.closing(handle) as lock:
        try:
            fcntl.flock(lock.number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Busy(f"another process is at work in {folder}") from None
        yield


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """No search for cyclic garbage in the block: while millions of objects are made that stay, it takes half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
