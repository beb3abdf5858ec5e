"""What several of these tests look at: runs of the toy, MLflow's store of a few, and copies of both to change."""

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


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two finished runs: r of PBT, g of the grid."""
    from reproductions.suite.cli import main

    folder = tmp_path_factory.mktemp("made")
    for name, method in (("r", "pbt"), ("g", "grid")):
        assert main(["run", "toy", method, "--quiet", "--set", "steps=20", "--out", str(folder / name)]) == 0
    return folder


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    """Copies of them in a folder of their own, which is the current one."""
    for name in ("r", "g"):
        shutil.copytree(made / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path
