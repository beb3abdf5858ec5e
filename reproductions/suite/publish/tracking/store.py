"""The folder that MLflow's store lives in: one SQLite database and the artifacts. Looked after here without MLflow.

Each experiment's artifacts are in ``artifacts/EXPERIMENT`` of the folder. MLflow keeps their whole addresses in its database,
so that a folder that was moved, or copied with its checkout, points elsewhere until that is mended.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from reproductions.suite.study.registry import ConfigError

DATABASE = "mlflow.db"
#: Tables that only MLflow's databases have together.
TABLES = ("alembic_version", "experiments", "runs")
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
    if not (store / DATABASE).exists():
        return
    with _connected(store) as database:
        _try_to_write(database)
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if tables and not tables.issuperset(TABLES):
            raise ConfigError(
                f"{store / DATABASE}: must be MLflow's database, but is another program's, or was not made to the end: "
                "move it away and track again, or choose another --store"
            )


def _try_to_write(database: sqlite3.Connection) -> None:
    """Fail now, not in the middle: for a lock, a read-only file, and a folder where no journal can be kept."""
    database.execute("BEGIN IMMEDIATE")
    ((version,),) = database.execute("PRAGMA user_version")
    database.execute(f"PRAGMA user_version = {version:d}")  # BEGIN alone is content to read a read-only file
    database.rollback()


def revision(store: Path) -> str | None:
    """Which schema the store's database has; None if it has none yet."""
    if not (store / DATABASE).exists():
        return None
    with _connected(store) as database:
        if not list(database.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")):
            return None
        revisions = [str(name) for (name,) in database.execute("SELECT version_num FROM alembic_version")]
    if len(revisions) != 1:
        raise ConfigError(f"{store / DATABASE}: does not say the version of its schema: move it away and track again")
    return revisions[0]


def has_artifacts(uri: str) -> bool:
    """Whether a run's folder of artifacts is there and not empty."""
    folder = Path(unquote(urlsplit(uri).path))
    return folder.is_dir() and any(folder.iterdir())


def mend(store: Path) -> list[str]:
    """Let experiments point to this store's artifacts if they point elsewhere; the names of those that did.

    Only addresses of the form that ``track`` gives are touched.
    """
    mended = []
    with _connected(store) as database:
        experiments = list(database.execute("SELECT experiment_id, name, artifact_location FROM experiments"))
        for number, name, location in experiments:
            new = artifact_uri(store, name)
            if location == new or not _is_ours(location, name) or _is_same(location, store / "artifacts" / name):
                continue
            database.execute("UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?", (new, number))
            database.execute(
                "UPDATE runs SET artifact_uri = ? || substr(artifact_uri, ?) "
                "WHERE experiment_id = ? AND substr(artifact_uri, 1, ?) = ?",
                (new, len(location) + 1, number, len(location) + 1, f"{location}/"),
            )
            mended.append(str(name))
        database.commit()
    return mended


def _is_ours(location: str | None, experiment: str) -> bool:
    parts = urlsplit(location or "")
    return parts.scheme == "file" and unquote(parts.path).endswith(f"/artifacts/{experiment}")


def _is_same(location: str, folder: Path) -> bool:
    """Whether the old address leads to the same folder by another way, such as a link."""
    try:
        return Path(unquote(urlsplit(location).path)).samefile(folder)
    except OSError:
        return False


@contextlib.contextmanager
def _connected(store: Path) -> Iterator[sqlite3.Connection]:
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
    return "move it away and track again: everything in it was made from finished runs"
