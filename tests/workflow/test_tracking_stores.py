"""Stores of MLflow over time: what is added, made again, moved, upgraded, broken, or not ours to write to."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pytest
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import create_engine
from tracked import WHOLE, children, files, made, of, only, runs_where, track

from pbt_core.files import locked
from reproductions.suite.cli import main
from reproductions.suite.publish.tracking import client as opening
from reproductions.suite.publish.tracking import store as folder_of
from reproductions.suite.publish.tracking.pages import pages
from reproductions.suite.publish.tracking.store import DATABASE, mend
from reproductions.suite.study.registry import ConfigError

#: A schema of MLflow 2.3.
OLD = "3500859a5d39"


def test_a_seed_that_comes_later_joins_its_method(lone, tmp_path):
    """Whoever tracks seeds one by one gets the same parent, and no second one."""
    assert track(lone, made(tmp_path, "pbt", 2)) == 0
    method = only(of(lone), "method")
    assert method.data.tags["seeds"] == "0, 1, 2"
    assert {run.data.tags["seed"] for run in children(of(lone), method)} == {"0", "1", "2"}
    # A mean of three, though only one of them was given.
    finals = [run.data.metrics["final"] for run in children(of(lone), method)]
    assert method.data.metrics["final"] == pytest.approx(np.mean(finals))


def test_a_run_that_was_made_again_takes_the_place_of_the_former_which_is_deleted(lone, tmp_path):
    """With its members; MLflow's pages can still show it among the deleted."""
    former = only(of(lone), "seed", seed=0)
    shutil.rmtree(tmp_path / "pbt-0")
    assert track(lone, made(tmp_path, "pbt", 0, "--set", "interval=2")) == 0
    again = only(of(lone), "seed", seed=0)
    assert again.info.run_id != former.info.run_id
    assert of(lone).get_run(former.info.run_id).info.lifecycle_stage == "deleted"
    assert children(of(lone), former) == []
    assert again.info.run_id in {run.info.run_id for run in children(of(lone), only(of(lone), "method"))}


def test_what_was_cut_off_while_it_was_written_is_written_again(lone, tmp_path):
    """The tag that is set last is missing then; so it is when files are gone."""
    (number,) = {run.info.experiment_id for run in runs_where(of(lone))}
    cut_off = only(of(lone), "seed", seed=0)
    of(lone).delete_tag(cut_off.info.run_id, opening.DIGEST)
    assert track(lone, tmp_path / "pbt-0") == 0
    whole = only(of(lone), "seed", seed=0)
    assert whole.info.run_id != cut_off.info.run_id
    shutil.rmtree(lone / "artifacts" / "toy" / whole.info.run_id)
    assert track(lone, tmp_path / "pbt-0") == 0
    assert files(of(lone), "pbt") == WHOLE
    assert len(opening.runs(of(lone), number, "tags.kind != 'member'")) == 2 * (1 + 2)


def test_a_store_that_was_moved_finds_its_artifacts_again_and_writes_new_ones_beside_them(lone, tmp_path):
    """Also to a folder whose name means something in addresses; nothing is written to the old place."""
    moved = tmp_path / "100% a?b=c #d" / "store"
    moved.parent.mkdir()
    lone.rename(moved)
    assert track(moved, tmp_path / "pbt-0") == 0
    assert files(of(moved), "pbt") == WHOLE
    assert track(moved, made(tmp_path, "explore_only")) == 0
    assert files(of(moved), "explore_only") == WHOLE
    assert not lone.exists()
    assert of(moved).get_experiment_by_name("toy").artifact_location == (moved / "artifacts" / "toy").as_uri()
    assert not (tmp_path / "100% a").exists()


def test_a_moved_store_that_is_only_looked_at_shows_its_artifacts_too(lone, tmp_path):
    """`ui` mends it as well."""
    moved = lone.rename(tmp_path / "moved")
    pages(moved)
    assert files(of(moved), "pbt") == WHOLE


def test_a_copied_store_uses_its_own_artifacts_and_a_linked_one_stays_as_it_is(lone, tmp_path):
    """Two checkouts side by side; one folder by two ways."""
    shutil.copytree(lone, tmp_path / "copy")
    assert sorted(mend(tmp_path / "copy")) == ["figures", "toy"]
    shutil.rmtree(lone / "artifacts")
    assert files(of(tmp_path / "copy"), "pbt") == WHOLE
    (tmp_path / "link").symlink_to(tmp_path / "copy")
    assert mend(tmp_path / "link") == []


def test_an_experiment_that_was_deleted_in_the_pages_is_taken_back(lone, tmp_path):
    """With its runs; what comes after is written to it."""
    client = of(lone)
    client.delete_experiment(client.get_experiment_by_name("toy").experiment_id)
    assert track(lone, tmp_path / "pbt-0", made(tmp_path, "explore_only")) == 0
    assert {run.data.tags["method"] for run in runs_where(client)} == {"pbt", "grid", "explore_only"}


def make_old(store, revision=OLD):
    """A database as an older version of MLflow left it, with an experiment and a run of somebody."""
    from mlflow.store.tracking.dbmodels.initial_models import Base

    store.mkdir()
    engine = create_engine(f"sqlite:///{store / DATABASE}")
    Base.metadata.create_all(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    config.set_main_option("sqlalchemy.url", str(engine.url))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.upgrade(config, revision)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(store / DATABASE)) as database:
        columns, values = "experiment_id, name, artifact_location, lifecycle_stage", "7, 'mine', '/tmp', 'active'"
        database.execute(f"INSERT INTO experiments ({columns}) VALUES ({values})")
        database.commit()


def test_a_store_of_an_older_mlflow_is_upgraded_and_the_former_file_is_kept(tmp_path, store, capfd):
    """What was in it stays; what is tracked is added to it. One line says where the former file is."""
    old = tmp_path / "old"
    make_old(old)
    before = (old / DATABASE).read_bytes()
    capfd.readouterr()
    assert track(old, store.parent / "pbt-0") == 0
    (line,) = capfd.readouterr().err.splitlines()
    kept = old / f"{DATABASE}.schema-{OLD}"
    assert str(kept) in line
    assert kept.read_bytes() == before
    assert {experiment.name for experiment in of(old).search_experiments()} >= {"mine", "toy"}
    assert files(of(old), "pbt") == WHOLE


def test_a_store_that_another_process_is_writing_to_is_left_to_it_and_may_be_looked_at(lone, tmp_path, capfd):
    """Two writers would write everything twice."""
    with locked(lone):
        assert track(lone, tmp_path / "pbt-0") == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert "another `track` is writing to it; try again" in line
        assert pages(lone)


def test_a_database_that_fails_while_it_is_written_to_is_one_line(lone, tmp_path, capfd, monkeypatch):
    """Whoever holds it then; the same command goes on from there."""
    run = made(tmp_path, "explore_only")
    write = opening.log

    def held(client, run_id, metrics, parameters=()):
        raise mlflow.exceptions.MlflowException("(sqlite3.OperationalError) database is locked\nmore lines")

    monkeypatch.setattr("reproductions.suite.publish.tracking.seeds.log", held)
    capfd.readouterr()
    assert track(lone, run) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert "database is locked; the same command goes on from here" in line
    monkeypatch.setattr("reproductions.suite.publish.tracking.seeds.log", write)
    assert track(lone, run) == 0
    assert files(of(lone), "explore_only") == WHOLE


def broken_store(kind, store):
    database = store / "mlflow.db"
    match kind:
        case "no database":
            database.write_text("no database at all, but long enough to be looked at by whoever opens it" * 10)
        case "torn":
            os.truncate(database, database.stat().st_size // 2)
        case "a folder":
            database.unlink()
            database.mkdir()
        case _:
            with contextlib.closing(sqlite3.connect(database)) as connection:
                connection.execute(
                    {
                        "another version": "UPDATE alembic_version SET version_num = '0123456789ab'",
                        "no version": "DELETE FROM alembic_version",
                        "another program's": "DROP TABLE alembic_version",
                    }[kind]
                )
                connection.commit()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no database", ["not a database", "track again"]),
        ("torn", ["mlflow.db", "track again"]),
        ("a folder", ["must be a file", "--store"]),
        ("another version", ["another version of MLflow", "0123456789ab", "pip install", "track again"]),
        ("no version", ["does not say the version", "track again"]),
        ("another program's", ["another program's", "--store"]),
        ("locked", ["locked", "try again"]),
    ],
)
def test_a_store_that_cannot_be_used_is_one_line_with_the_remedy(kind, words, lone, tmp_path, capfd, monkeypatch):
    """For who writes to it and for who looks at it."""
    monkeypatch.setattr(folder_of, "LOCK_SECONDS", 0.1)
    lone = lone.rename(tmp_path / "b")  # MLflow remembers the stores that it has opened
    with contextlib.ExitStack() as stack:
        if kind == "locked":
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(lone / "mlflow.db")))
            connection.execute("BEGIN IMMEDIATE")
        else:
            broken_store(kind, lone)
        capfd.readouterr()
        for arguments in (["track", str(tmp_path / "pbt-0"), "--store", str(lone)], ["ui", "--store", str(lone)]):
            assert main(arguments) == 2
            (line,) = capfd.readouterr().err.splitlines()
            assert line.startswith("error: ")
            assert all(word in line for word in words), line


@contextlib.contextmanager
def nobody():
    """As a user who may write to what belongs to nobody else: root may write everywhere."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("mode", [0o444, 0o666])
def test_a_store_that_may_not_be_written_to_is_one_line_with_the_remedy(store, mode):
    """Its file, or its folder, beside which SQLite keeps a journal."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "store"
        folder.mkdir()
        shutil.copy(store / DATABASE, folder)
        (folder / DATABASE).chmod(mode)
        folder.chmod(0o555)
        with (
            nobody(),
            pytest.raises(ConfigError, match="make the file and its folder writable") as error,
            opening.opened(folder),
        ):
            pass
        assert "choose another --store" in str(error.value)
        folder.chmod(0o755)
