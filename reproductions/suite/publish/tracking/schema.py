"""The schema of a store's database, which each version of MLflow brings along: an older one is brought up to date."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from mlflow.store.tracking.dbmodels.models import SqlRun
from mlflow.version import VERSION

from pbt_core.files import replacing
from reproductions.suite.publish.tracking import store
from reproductions.suite.study.registry import ConfigError


def upgrade(folder: Path) -> Path | None:
    """Let MLflow upgrade the database of a store if its schema is older; returns where the former file is kept.

    A copy is upgraded and takes the database's place when that went well. Raises ConfigError, in one line with the remedy, for
    a schema that this version of MLflow does not know.
    """
    revision, database = store.revision(folder), folder / store.DATABASE
    if revision is None or revision == (head := _migrations().get_current_head()):
        return None
    if not _is_known(revision):
        raise ConfigError(
            f"{database}: was made by another version of MLflow, whose schema {revision} MLflow {VERSION} does not know: "
            "install that version (a newer one: pip install -U mlflow), or move the file away and track again"
        )
    kept = database.with_name(f"{database.name}.schema-{revision}")
    print(
        f"{database}: upgrading its schema from {revision} to {head}; the former file is kept as {kept}",
        file=sys.stderr,
    )
    with replacing(database) as copy:
        with (
            contextlib.closing(sqlite3.connect(database)) as old,
            contextlib.closing(sqlite3.connect(copy)) as new,
        ):
            old.backup(new)
        command = [sys.executable, "-m", "mlflow", "db", "upgrade", store.database_uri(copy)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:200]
            raise ConfigError(
                f"{database}: MLflow cannot upgrade its schema ({why}): move the file away and track again"
            )
        with contextlib.suppress(FileNotFoundError):
            kept.unlink()
        os.link(database, kept)
    return kept


def must_be_whole(folder: Path) -> None:
    """ConfigError unless the database of a store, if it was begun, has all tables and columns that this MLflow knows."""
    if store.revision(folder) is None:
        return
    with store.connected(folder) as database:
        for name, table in sorted(SqlRun.metadata.tables.items()):
            there = {row[1] for row in database.execute(f"PRAGMA table_xinfo({name})")}
            if lacking := [column.name for column in table.columns if column.name not in there]:
                what = f"column {lacking[0]} of the table {name}" if there else f"table {name}"
                raise ConfigError(f"{folder / store.DATABASE}: lacks the {what}: {store.REMEDY}")


def _migrations() -> ScriptDirectory:
    return ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))


def _is_known(revision: str) -> bool:
    try:
        return _migrations().get_revision(revision) is not None
    except CommandError:
        return False
