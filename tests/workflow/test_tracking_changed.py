"""Stores of MLflow that somebody has changed: what was changed is written again or left alone, or told in one line."""

import contextlib
import os
import sqlite3

import pytest
from tracked import WHOLE, of, runs_where, track

from reproductions.suite.cli import main
from reproductions.suite.publish.tracking.pages import pages
from reproductions.suite.publish.tracking.store import DATABASE

#: A run without tags but its kind, and an experiment that MLflow itself could not read.
FOREIGN_RUN = (
    "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, user_id, experiment_id) "
    "SELECT 'f0', 'mine', 'RUNNING', 1, 'active', 'me', experiment_id FROM experiments WHERE name = 'toy'"
)
FOREIGN_TAG = "INSERT INTO tags (key, value, run_uuid) VALUES ('kind', 'seed', 'f0')"
FOREIGN_EXPERIMENT = (
    "INSERT INTO experiments (experiment_id, name, lifecycle_stage) VALUES (777, 'my' || char(10), 'active')"
)
OF_SEEDS = "run_uuid IN (SELECT run_uuid FROM tags WHERE key = 'kind' AND value = 'seed')"


def changed(store, *statements):
    with contextlib.closing(sqlite3.connect(store / DATABASE)) as database:
        for statement in statements:
            assert database.execute(statement).rowcount, statement
        database.commit()


@pytest.mark.parametrize(
    "statements",
    [
        *([f"DELETE FROM tags WHERE key = '{name}'"] for name in ("scale", "seed", "pbt.key", "kind")),
        ["DELETE FROM tags"],
        ["UPDATE tags SET value = NULL WHERE key = 'problem'"],
        ["UPDATE tags SET value = 'x' WHERE key = 'seed'"],
        ["UPDATE runs SET end_time = NULL"],
        [f"UPDATE runs SET start_time = 'x' WHERE {OF_SEEDS}"],
        [f"UPDATE latest_metrics SET value = 'x' WHERE {OF_SEEDS}"],
        ["UPDATE runs SET artifact_uri = 'http://[bad'"],
        ["UPDATE runs SET artifact_uri = NULL"],
        ["UPDATE experiments SET artifact_location = NULL"],
        [FOREIGN_RUN, FOREIGN_TAG, FOREIGN_EXPERIMENT],
    ],
    ids=lambda statements: statements[0][:60],
)
def test_what_was_changed_is_written_again_and_what_is_not_ours_is_left_alone(statements, lone, tmp_path, capsys):
    """By `track`; the pages show what can still be read."""
    lone = lone.rename(tmp_path / "changed")  # MLflow remembers the stores that it has opened
    changed(lone, *statements)
    assert all(name.isprintable() for name in pages(lone))
    assert track(lone, tmp_path / "pbt-0") == 0
    keyed = "tags.`pbt.key` = 'laptop/quadratic/pbt/default{}' and tags.scale = 'laptop' and tags.kind = '{}'"
    (ours,) = runs_where(of(lone), keyed.format("/0", "seed"))
    assert {artifact.path for artifact in of(lone).list_artifacts(ours.info.run_id)} == WHOLE
    (method,) = runs_where(of(lone), keyed.format("", "method"))
    assert "0" in method.data.tags["seeds"].split(", ")
    capsys.readouterr()
    assert track(lone, tmp_path / "pbt-0") == 0
    assert capsys.readouterr().out == "toy: 0 runs written, 1 were there already\n"


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DROP TABLE tags", "lacks the table tags: move it away and track again"),
        ("ALTER TABLE runs RENAME COLUMN status TO state", "lacks the column status of the table runs"),
        ("UPDATE runs SET start_time = NULL", "start_time cannot be None"),
        ("UPDATE experiments SET artifact_location = 'http://[bad'", "'http://[bad', which is no address"),
    ],
)
def test_a_store_that_mlflow_cannot_read_is_one_line(statement, words, lone, tmp_path, capfd):
    """Whatever MLflow logs or raises."""
    lone = lone.rename(tmp_path / "changed")
    changed(lone, statement)
    capfd.readouterr()
    assert track(lone, tmp_path / "pbt-0") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line
    assert line.startswith(f"error: {lone / DATABASE}: ")


@pytest.mark.parametrize("kind", ["a link to itself", "a link to nowhere", "a pipe", "a device"])
def test_what_is_no_file_is_no_database_and_is_not_waited_for(kind, store, tmp_path, capfd):
    """MLflow would try again for minutes."""
    (tmp_path / "store").mkdir()
    database = tmp_path / "store" / DATABASE
    if kind == "a pipe":
        os.mkfifo(database)
    else:
        database.symlink_to({"a link to itself": DATABASE, "a link to nowhere": "x", "a device": "/dev/zero"}[kind])
    capfd.readouterr()
    for command in (["track", str(store.parent / "pbt-0")], ["ui"]):
        assert main([*command, "--store", str(tmp_path / "store")]) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert "mlflow.db: must be a file" in line


@pytest.mark.parametrize("place", ["artifacts", "artifacts/toy"])
def test_artifacts_that_are_no_folder_are_refused_before_anything_is_written(place, store, tmp_path, capfd):
    """In a store that is not there yet, too."""
    there = tmp_path / "store" / place
    there.parent.mkdir(parents=True)
    there.symlink_to("nowhere") if place == "artifacts" else there.touch()
    capfd.readouterr()
    assert track(tmp_path / "store", store.parent / "pbt-0") == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "cannot write to" in line
    assert not (tmp_path / "store" / DATABASE).exists()
