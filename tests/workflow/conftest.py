"""What several of these tests look at and none changes: MLflow's store of a few runs, and a copy of it to change."""

import shutil

import pytest


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Two methods with two seeds each, and a figure, written twice."""
    from tracked import made, track

    from reproductions.suite.cli import main

    folder = tmp_path_factory.mktemp("tracking")
    runs = [made(folder, method, seed) for method in ("pbt", "grid") for seed in (0, 1)]
    assert main(["figure", "toy", *map(str, runs), "--out", str(folder / "figures" / "toy")]) == 0
    for _ in range(2):
        assert track(folder / "store", *runs, figures=[folder / "figures"]) == 0
    return folder / "store"


@pytest.fixture
def client(store):
    """What the store holds."""
    from tracked import of

    return of(store)


@pytest.fixture
def lone(tmp_path, store):
    """A copy of the store that a test may change, with a run of its own beside it."""
    from tracked import track

    shutil.copytree(store, tmp_path / "a" / "store")
    shutil.copytree(store.parent / "pbt-0", tmp_path / "pbt-0")
    assert track(tmp_path / "a" / "store", tmp_path / "pbt-0") == 0
    return tmp_path / "a" / "store"
