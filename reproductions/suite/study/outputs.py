"""Where commands write: checked before any work, and filled at once or not at all.

What stood there before stays until everything new is whole, and a request that is refused leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError


@contextlib.contextmanager
def staged(out: Path, instead_of: Collection[str] = ()) -> Iterator[Path]:
    """A fresh folder whose files move to ``out`` (made if missing) when the block ends well; else ``out`` is as it was.

    ``instead_of``: endings, such as ".svg", of the files there that go then: those that are not among the new ones.
    Raises ConfigError before the block if nothing can be written there.
    """
    with _folder(out), _temporary(out) as place:
        yield place
        moves = [(path, Path(os.path.realpath(out / path.name))) for path in sorted(place.iterdir())]
        for path, target in moves:
            _must_be_a_file(target, out / path.name)
        for path, target in moves:
            os.replace(path, target)
        new = {path.name for path, _ in moves}
        for path in [path for path in out.iterdir() if path.suffix in instead_of and path.name not in new]:
            path.unlink()


@contextlib.contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """A path that is renamed to ``path`` when the block ends well. Raises ConfigError before it if that cannot be.

    Where ``path`` is a link, what it leads to is written, and the link stays.
    """
    target = Path(os.path.realpath(path))
    with _folder(target.parent), _temporary(target.parent) as place:
        _must_be_a_file(target, path)
        temporary = place / "new"
        yield temporary
        os.replace(temporary, target)


@contextlib.contextmanager
def exchanged(folder: Path) -> Iterator[Path]:
    """A copy of ``folder`` (empty if it is not there) to change, which takes its place when the block ends well."""
    with _folder(folder.parent), _temporary(folder.parent) as place:
        new, old = place / "new", place / "old"
        if folder.exists():
            copy_folder(folder, new)
        else:
            new.mkdir()
        yield new
        if folder.exists():
            os.replace(folder, old)
        try:
            os.replace(new, folder)
        except OSError:
            os.replace(old, folder)
            raise


def copy_folder(folder: Path, target: Path, *left_out: str) -> None:
    """Copy a folder to a place where nothing is, without the names ``left_out``. ConfigError for what in it is no file."""
    try:
        shutil.copytree(folder, target, ignore=shutil.ignore_patterns(*left_out), copy_function=_copy_file)
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise ConfigError(f"cannot copy {shown(str(source))}: {why}") from None


def _copy_file(source: str, target: str) -> None:
    if not Path(source).is_file():  # a device would be copied without end
        raise OSError("it must be a regular file")
    shutil.copy2(source, target)


@contextlib.contextmanager
def added(out: Path) -> Iterator[Path]:
    """A fresh folder, whose folders with files in them move to the same places below ``out`` when the block ends well.

    Each moves at once, and none before all can: where one is to go there must be nothing, or an empty folder.
    """
    with _folder(out), _temporary(out) as place, contextlib.ExitStack() as made:
        yield place
        folders = sorted({path.parent for path in place.rglob("*") if not path.is_dir()})
        moves = [(folder, out / folder.relative_to(place)) for folder in folders]
        for _, target in moves:
            made.enter_context(_folder(target.parent))
            if os.path.lexists(target) and not is_empty(target):
                raise ConfigError(f"cannot write to {shown(str(target))}: there is something already")
        for folder, target in moves:
            os.replace(folder, target)


def is_empty(folder: Path) -> bool:
    """Whether it is a folder with nothing in it."""
    with _refused(folder):
        return folder.is_dir() and not any(folder.iterdir())


def check(out: Path) -> None:
    """ConfigError unless the folder ``out``, or one that can be made there, can be written to. Leaves nothing behind.

    ``out`` itself is never made and removed again: another process may be at work there.
    """
    with _refused(out):
        there = next(folder for folder in (out, *out.parents) if os.path.lexists(folder))
    with _temporary(there, out) as place, _refused(out):
        (place / out.relative_to(there)).mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """A folder that is there; those that had to be made are removed again if the block fails."""
    made: list[Path] = []
    try:
        with _refused(folder):
            for parent in [*reversed(folder.parents), folder]:
                if not parent.is_dir() and _make(parent):
                    made.append(parent)
        yield
    except BaseException:
        for parent in reversed(made):
            with contextlib.suppress(OSError):  # another process has put something there meanwhile
                parent.rmdir()
        raise


def _make(folder: Path) -> bool:
    """Make a folder; returns whether this process made it, since another may do so at the same moment."""
    try:
        folder.mkdir()
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


@contextlib.contextmanager
def _temporary(folder: Path, wanted: Path | None = None) -> Iterator[Path]:
    """A folder of its own in ``folder``, hence on the same disk, removed in the end; errors name what is ``wanted``."""
    with _refused(wanted or folder):
        place = Path(tempfile.mkdtemp(dir=folder, prefix=".new-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _refused(folder: Path) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError):
        raise ConfigError(f"cannot write to {shown(str(folder))}: part of it is a file, not a folder") from None
    except OSError as error:
        raise ConfigError(f"cannot write to {shown(str(folder))}: {error.strerror or error}") from None


def _must_be_a_file(target: Path, path: Path) -> None:
    """ConfigError unless a file is or can be at ``target``, where ``path`` leads."""
    with _refused(path):
        if target.is_symlink():
            raise ConfigError(f"cannot write to {shown(str(path))}: it is a link that leads to itself")
        if target.is_dir():
            raise ConfigError(f"cannot write to {shown(str(path))}: it is a folder")
        if target.exists() and not target.is_file():
            raise ConfigError(
                f"cannot write to {shown(str(path))}: it is a device, a pipe or a socket, and must be a file"
            )
