"""The folder that MLflow's store lives in: one SQLite database and the artifacts. Looked after here without MLflow.

Each experiment's artifacts are in ``artifacts/EXPERIMENT`` of the folder. MLflow keeps their whole addresses in its database,
so that a folder that was moved, or copied with its checkout, points elsewhere until that is mended.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from reproductions.suite.study.registry import ConfigError

DATABASE = "mlflow.db"
#: Tables that only MLflow's databases have together.
TABLES = ("alembic_version", "experiments", "runs")
#: What helps where a database is not what it should be.
REMEDY = "move it away and track again"
#: Seconds to wait for another process that is writing.
LOCK_SECONDS = 10.0


def store_uri(store: Path) -> str:
    """MLflow's address of the store in a folder."""
    return database_uri(store / DATABASE)


def database_uri(database: Path) -> str:
    """MLflow's address of a database, whatever its name: ``?`` would begin the address's options."""
    # With the driver's name, since MLflow makes folders of whatever follows "sqlite:///".
    return f"sqlite+pysqlite:///file:{quote(str(database.absolute()))}?uri=true"


def artifact_uri(store: Path, experiment: str) -> str:
    """Where the artifacts of an experiment belong."""
    return (store / "artifacts" / experiment).absolute().as_uri()


def check(store: Path) -> None:
    """ConfigError, in one line with the remedy, unless the store's database is MLflow's and can be written, or is not there."""
    if not os.path.lexists(store / DATABASE):
        return
    with connected(store) as database:
        _try_to_write(database)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not tables.issuperset(TABLES):
            raise ConfigError(
                f"{store / DATABASE}: must be MLflow's database, but is another program's, or was not made to the end: "
                f"{REMEDY}, or choose another --store"
            )


def _try_to_write(database: sqlite3.Connection) -> None:
    """Fail now, not in the middle: for a lock, a read-only file, and a folder where no journal can be kept."""
    database.execute("BEGIN IMMEDIATE")
    ((version,),) = database.execute("PRAGMA user_version")
    database.execute(f"PRAGMA user_version = {version:d}")  # BEGIN alone is content to read a read-only file
    database.rollback()


def revision(store: Path) -> str | None:
    """Which schema the store's database has; None if it has none yet."""
    if not os.path.lexists(store / DATABASE):
        return None
    with connected(store) as database:
        if not list(database.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")):
            return None
        revisions = [str(name) for (name,) in database.execute("SELECT version_num FROM alembic_version")]
    if len(revisions) != 1:
        raise ConfigError(f"{store / DATABASE}: does not say the version of its schema: {REMEDY}")
    return revisions[0]


def path_of(address: str | None) -> str | None:
    """The path in an address of artifacts; None if it is no address."""
    try:
        return unquote(urlsplit(address).path) if isinstance(address, str) and address else None
    except ValueError:
        return None


def has_artifacts(uri: str | None) -> bool:
    """Whether a run's folder of artifacts is there and not empty."""
    path = path_of(uri)
    try:
        return path is not None and any(Path(path).iterdir())
    except (OSError, ValueError):  # no folder, or no path that can be one
        return False


def mend(store: Path) -> list[str]:
    """Let experiments point to this store's artifacts if they point elsewhere; the names of those that did.

    Only addresses of the form that ``track`` gives are touched, and those that are missing, with which MLflow reads nothing.
    """
    mended: list[str] = []
    if revision(store) is None:
        return mended
    with connected(store) as database:
        experiments = list(database.execute("SELECT experiment_id, name, artifact_location FROM experiments"))
        for number, name, location in experiments:
            new = artifact_uri(store, str(name))
            is_missing = location is None or location == ""
            if not is_missing and (location == new or not _is_moved(location, name, store)):
                continue
            database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, number))
            mended.append(str(name))
            if is_missing:
                continue
            database.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                (new, len(location) + 1, number, len(location) + 1, f"{location}/"),
            )
        database.commit()
    return mended


def _is_moved(location: str, experiment: str, store: Path) -> bool:
    """Whether an address has the form that ``track`` gives, and leads to another folder than the store's, by any way."""
    path, ours = path_of(location), store / "artifacts" / experiment
    if path is None or urlsplit(location).scheme != "file" or not path.endswith(f"/artifacts/{experiment}"):
        return False
    try:
        return not Path(path).samefile(ours)
    except (OSError, ValueError):
        return True


@contextlib.contextmanager
def connected(store: Path) -> Iterator[sqlite3.Connection]:
    """The database of a store. An error of SQLite is a ConfigError."""
    path = store / DATABASE
    if not path.is_file():
        raise ConfigError(f"{path}: must be a file: choose another --store")
    try:
        address = f"file:{quote(str(path.absolute()))}?mode=rw"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS)) as database:
            yield database
    except sqlite3.Error as error:
        raise ConfigError(f"{path}: {error}: {_remedy(str(error))}") from None


def _remedy(words: str) -> str:
    if "locked" in words:
        return "another program is writing to it; try again when it has ended"
    if "readonly" in words or "unable to open" in words:
        return "make the file and its folder writable, or choose another --store"
    return f"{REMEDY}: everything in it was made from finished runs"
