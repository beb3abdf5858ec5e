"""A folder by its handle: a worker that slept while it was removed, or renamed, cannot write to what stands there now."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
import weakref
from pathlib import Path

from pbt_core.errors import RunError
from pbt_core.files import must_be_file
from pbt_core.schema import RecordError

#: What ``link`` says where a file system makes none.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
#: What is said of a folder that was removed, here or on another machine.
_REMOVED = (errno.ENOENT, errno.ESTALE)


class Gone(RecordError):
    """The folder was removed, or moved away, since it was opened."""


class Folder:
    """The folder that stands at ``path`` now. Every call raises Gone where it is gone, and RunError for what cannot be written.

    A task in this process may close the handle: the folder is opened again then, if it is the same.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._number, self._identity = self._opened()

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none. RecordError, which says why, if it cannot be read."""
        try:
            must_be_file(Path(name), self._handle)
            with os.fdopen(os.open(name, os.O_RDONLY, dir_fd=self._handle), "rb") as file:
                return file.read()
        except OSError as error:
            if error.errno in _REMOVED:
                self.must_be_there()
                return None
            raise RecordError(f"{self.path / name} cannot be read: {error.strerror}") from None

    def publish(self, name: str, content: bytes, durable: bool = False) -> bool:
        """Make a file with this content, at once; False if there is one already."""
        folder = self._handle
        temporary = f".{name}.{uuid.uuid4().hex}.tmp"
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666, dir_fd=folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    if durable:
                        os.fsync(file.fileno())
                made = self._linked(temporary, name)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
            if durable:
                os.fsync(folder)
        except OSError as error:
            if error.errno in _REMOVED:
                raise self._gone() from None
            raise RunError(f"{self.path / name} cannot be written: {error.strerror}") from None
        self.must_be_there()  # what was moved away is nobody's: who moved it had read all that was published before
        return made

    def move(self, name: str, to: str) -> None:
        """Rename what is in it. OSError if that cannot be done."""
        os.rename(name, to, src_dir_fd=self._handle, dst_dir_fd=self._handle)

    def must_be_there(self) -> None:
        """Gone unless this folder is the one that stands at its path."""
        try:
            if _identity(self.path.stat()) == self._identity:
                return
        except OSError:
            pass
        raise self._gone()

    def _linked(self, temporary: str, name: str) -> bool:
        folder = self._handle
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileExistsError:
            # NFS may carry a call out and lose its answer: the second try fails, though the first was heard.
            return os.stat(temporary, dir_fd=folder).st_nlink == 2
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            what = f"{self.path} cannot hold a run of leased workers: its file system makes no hard links"
            raise RunError(f"{what} ({error.strerror})") from None
        return True

    @property
    def _handle(self) -> int:
        if not _is_open(self._number, self._identity):
            self._number, identity = self._opened()
            if identity != self._identity:
                raise self._gone()
        return self._number

    def _opened(self) -> tuple[int, tuple[int, int]]:
        try:
            number = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            if error.errno in _REMOVED:
                raise self._gone() from None
            raise RunError(f"{self.path} cannot be read: {error.strerror}") from None
        identity = _identity(os.fstat(number))
        weakref.finalize(self, _close, number, identity)
        return number, identity

    def _gone(self) -> Gone:
        return Gone(f"{self.path} is gone: it was removed, or begun anew, while this process was at work in it")


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _is_open(number: int, identity: tuple[int, int]) -> bool:
    try:
        return _identity(os.fstat(number)) == identity
    except OSError:
        return False


def _close(number: int, identity: tuple[int, int]) -> None:
    if _is_open(number, identity):
        os.close(number)
