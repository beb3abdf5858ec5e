"""Opening a store, and what MLflow's client does not offer in one call. An error of the database is one line."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pbt_core.files import Busy, locked
from reproductions.suite.publish.tracking import schema, store
from reproductions.suite.publish.tracking.store import REMEDY
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.registry import ConfigError

#: MLflow's limits for one call.
METRICS, PARAMETERS = 1000, 100
PAGE = 1000
#: Tags of each run: its key, and the digest of what it was made from, set last: a run without it was not written to the end.
KEY, DIGEST = "pbt.key", "pbt.record"
#: Raise it when the form of what is written changes: runs of a former layout are then written again.
LAYOUT = 5


class StoreError(OSError):
    """MLflow's database fails while it is written to."""


@contextlib.contextmanager
def opened(folder: Path, to_write: bool = True) -> Iterator[MlflowClient]:
    """A client of the store in a folder, which is made if it is missing; a moved or older store is mended.

    One process writes at a time; others may read meanwhile. Raises ConfigError, in one line with the remedy, for a store that
    cannot be used, and StoreError where the database fails later.
    """
    store.check(folder)
    with contextlib.ExitStack() as held:
        is_alone = _enter(held, folder)
        if to_write and not is_alone:
            raise ConfigError(f"{folder}: another `track` is writing to it; try again when it has ended")
        if is_alone:
            schema.upgrade(folder)
            store.mend(folder)
            schema.must_be_whole(folder)  # otherwise the writer has done so
        client = _connected(folder)
        try:
            yield client
        except (ConfigError, OSError):
            raise
        except Exception as error:
            if not _is_of_the_store(error):
                raise
            place, line = folder / store.DATABASE, _telling_line(error)
            if "sqlite3." in str(error):
                raise StoreError(f"{place}: {line}; the same command goes on from here") from None
            raise ConfigError(f"{place}: MLflow cannot read or write what is in it ({line}): {REMEDY}") from None


def _is_of_the_store(error: Exception) -> bool:
    """Whether MLflow or its database raised an error, and not code of ours: what ours called last was theirs."""
    if isinstance(error, MlflowException | SQLAlchemyError):
        return True
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    called = [after for before, after in pairwise(modules) if before.startswith("reproductions.")]
    return bool(called) and called[-1].partition(".")[0] in ("mlflow", "sqlalchemy")


def _enter(held: contextlib.ExitStack, folder: Path) -> bool:
    """Take the store's lock; returns whether it was free."""
    try:
        held.enter_context(locked(folder))
    except Busy:
        return False
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}: make the folder writable, or choose another --store") from None
    return True


def _connected(folder: Path) -> MlflowClient:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # its errors are raised, too
    try:
        client = MlflowClient(tracking_uri=store.store_uri(folder))
        client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError) as error:
        raise ConfigError(f"{folder / store.DATABASE}: cannot be used ({_telling_line(error)}): {REMEDY}") from None
    return client


def _telling_line(error: Exception) -> str:
    """The line of an error that says most: what SQLite says, or else the first."""
    lines = str(error).strip().splitlines() or [repr(error)]
    return next((line for line in lines if "sqlite3." in line), lines[0])[:200]


def experiment(client: MlflowClient, name: str, folder: Path) -> str:
    """The number of an experiment, made if it is missing; one that was deleted in MLflow's pages is taken back."""
    known = client.get_experiment_by_name(name)
    if known is None:
        return str(client.create_experiment(name, artifact_location=store.artifact_uri(folder, name)))
    if known.lifecycle_stage == "deleted":
        client.restore_experiment(known.experiment_id)
    if store.path_of(known.artifact_location) is None:
        raise ConfigError(
            f"{folder / store.DATABASE}: the experiment {name} keeps its artifacts at {shown(known.artifact_location)}, "
            f"which is no address: {REMEDY}"
        )
    return str(known.experiment_id)


def runs(client: MlflowClient, number: str, condition: str) -> list[Run]:
    """All runs of an experiment for which a condition holds."""
    page = client.search_runs([number], condition, max_results=PAGE)
    every_run = list(page)
    while page.token:
        page = client.search_runs([number], condition, max_results=PAGE, page_token=page.token)
        every_run += page
    return every_run


def by_key(every_run: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by key; several runs have the same key where writing was interrupted."""
    grouped: dict[str, list[Run]] = {}
    for run in every_run:
        grouped.setdefault(run.data.tags.get(KEY, ""), []).append(run)
    return grouped


def is_current(written: Sequence[Run], digest: str, tags: Mapping[str, str]) -> bool:
    """Whether the runs of one key are a single complete one, made from what has this digest, with its tags and files."""
    if len(written) != 1 or not ({DIGEST: digest, **tags}.items() <= written[0].data.tags.items()):
        return False
    return store.has_artifacts(written[0].info.artifact_uri)


def delete(client: MlflowClient, number: str, run: Run) -> None:
    """Delete a run and its children."""
    for child in runs(client, number, f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"):
        client.delete_run(child.info.run_id)
    client.delete_run(run.info.run_id)


def log(client: MlflowClient, run_id: str, metrics: Sequence[Metric], parameters: Sequence[Param] = ()) -> None:
    """Write metrics and parameters in as few calls as MLflow's limits allow."""
    for start in range(0, len(parameters), PARAMETERS):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS])
    # Newest first: MLflow keeps the latest value of each metric apart, which older ones then leave alone.
    newest_first = sorted(metrics, key=lambda metric: metric.step, reverse=True)
    for start in range(0, len(newest_first), METRICS):
        client.log_batch(run_id, metrics=newest_first[start : start + METRICS])
