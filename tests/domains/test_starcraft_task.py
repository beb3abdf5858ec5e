"""Members on mini-games: exact in the middle of episodes, the same for any workers and across kill -9; what is refused."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip(
    "numba", reason="the extra starcraft is not installed: pip install -c constraints.txt -e '.[starcraft]'"
)

from waiting import LONG

from pbt_core import PBT, Plan, Processes, Serial, Stream
from pbt_core.testing import check_population, check_task
from reproductions.starcraft import episode
from reproductions.starcraft.maps import MAPS
from reproductions.starcraft.specification import FUNCTIONS
from reproductions.starcraft.sweep import SPACE, SPACE_WITH_ENTROPY_COST
from reproductions.starcraft.task import StarCraft
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import missing
from reproductions.suite.study.settings import resolve

TINY = {"channels": (2, 4), "width": 8, "batch": 4, "unroll": 5}
#: Scores differ from the first interval on, so that members copy.
FIGHT = {**TINY, "map": "DefeatRoaches"}
METHOD = PBT(ready=4 * 20)
PLAN = Plan(population=4, steps=4 * 60, interval=4 * 20, seed=3)


@pytest.mark.parametrize(
    "settings",
    [
        {"map": "DefeatRoaches"},
        {"map": "FindAndDefeatZerglings", "agent": "fully_conv_lstm"},
        {"map": "CollectMineralShards", "optimizer": "adam", "tune_entropy_cost": True},
    ],
    ids=lambda settings: settings["map"],
)
def test_starcraft_keeps_the_contract_of_tasks(settings):
    """Deterministic, exact after a reload in the middle of episodes; hyperparameters rule over a copied optimiser."""
    check_task(StarCraft(**{**TINY, **settings}), steps=4 * 15)


@pytest.mark.parametrize(
    "settings",
    [
        {"map": "MoveToBeacon", "optimizer": "adam", "tune_entropy_cost": True},
        {"map": "FindAndDefeatZerglings", "agent": "fully_conv_lstm"},
    ],
    ids=lambda settings: settings["map"],
)
def test_members_play_as_one_program_as_they_play_alone(settings, caplog):
    """Up to rounding, to the default tolerances, each in games of its own; epsilon as in ``test_rl_batched``."""
    check_population(StarCraft(epsilon=1e-2, **TINY, **settings), steps=4 * 13)
    assert not caplog.records


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return Serial().run(StarCraft(**FIGHT), METHOD, PLAN, tmp_path_factory.mktemp("unbroken")).events


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_runs_are_the_same_for_any_number_of_workers(workers, unbroken, tmp_path):
    """Games are shared by the members of a worker, and yet every game goes on where it was."""
    assert Processes(workers=workers).run(StarCraft(**FIGHT), METHOD, PLAN, tmp_path).events == unbroken
    assert any(event["event"] == "cloned" for event in unbroken)


PROGRAM = """
import sys
from test_starcraft_task import FIGHT, METHOD, PLAN, StarCraft, Serial
Serial().run(StarCraft(**FIGHT), METHOD, PLAN, sys.argv[1])
"""


def test_a_run_that_was_killed_ends_with_the_record_of_an_unbroken_one(unbroken, tmp_path):
    """kill -9 of another process in the middle, and on in this one: byte for byte the same events."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    record, command = tmp_path / "events.jsonl", [sys.executable, "-c", PROGRAM, str(tmp_path)]
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + LONG
        while not record.exists() or record.stat().st_size < 1500:
            assert process.poll() is None or record.exists(), "the run does not begin"
            assert time.monotonic() < deadline, "the run does not come forward"
            time.sleep(0.002)
        process.kill()
    assert 0 < len(record.read_bytes().splitlines()) < len(unbroken)
    assert Serial().run(StarCraft(**FIGHT), METHOD, PLAN, tmp_path).events == unbroken


def test_the_entropy_cost_is_a_setting_or_a_hyperparameter():
    """The same number by either way learns the same; the space says which it is."""
    fixed, tuned = StarCraft(**TINY, entropy_cost=0.05), StarCraft(**TINY, tune_entropy_cost=True)
    assert (fixed.space, tuned.space) == (SPACE, SPACE_WITH_ENTROPY_COST)
    assert fixed.coefficients({"lr": 1e-3}) == {"entropy_cost": 0.05}
    assert tuned.coefficients({"lr": 1e-3, "entropy_cost": 0.2}) == {"entropy_cost": 0.2}
    scores = []
    for task, values in ((fixed, {}), (tuned, {"entropy_cost": 0.05})):
        hyperparameters = {"lr": 1e-3, **values}
        state = task.step(task.init(Stream(0), hyperparameters), hyperparameters, 4 * 20, Stream(1))
        scores.append(task.evaluate(state, Stream(2)))
    assert scores[0] == scores[1]


def test_unknown_maps_and_a_game_that_is_not_there_are_refused_before_any_work(tmp_path, monkeypatch):
    """One line with the key, the value and the rule."""
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    plan = Plan(population=2, steps=80, interval=40)
    with pytest.raises(ConfigError, match=r"task.map = 'Simple64' must be one of \['MoveToBeacon'"):
        StarCraft(map="Simple64", **TINY).prepare(plan)
    with pytest.raises(
        ConfigError, match=r"^task.engine = 'pysc2' on task.map = 'BuildMarines' needs .*pip|StarCraft II"
    ):
        StarCraft(map="BuildMarines", engine="pysc2", **TINY).prepare(plan)
    with pytest.raises(ConfigError, match=r"interval = 40 must be a multiple of task.batch = 3 environments"):
        StarCraft(**{**TINY, "batch": 3}).prepare(plan)


def test_problems_are_every_map_in_the_simulation_and_in_the_game_and_only_the_game_needs_it(tmp_path, monkeypatch):
    """By what each problem's runs need; the paper's scale is its six maps in the game."""
    monkeypatch.setenv("SC2PATH", str(tmp_path))
    sweep = registry.sweep("starcraft")
    assert set(sweep.PROBLEMS) == set(sweep.MEASURE.anchors) == {*MAPS, *(f"sc2_{name}" for name in MAPS)}
    for problem in sweep.PROBLEMS:
        lacking = missing("starcraft", resolve("starcraft", "pbt", problem=problem).task)
        assert bool(lacking) == problem.startswith("sc2_")
    paper = sweep.SCALES["paper"]
    assert set(paper.problems) == {f"sc2_{name}" for name in set(MAPS) - {"MoveToBeacon"}}
    settings = resolve("starcraft", "pbt", scale="paper", problem="sc2_BuildMarines")
    assert (settings.population, settings.build_task().size) == (30, 64)


def test_an_answer_is_shown_with_its_spatial_policy():
    """Probabilities of cells, calls by pysc2's identifiers, and points only where a function takes one."""
    task = StarCraft(map="DefeatRoaches", **TINY)
    state = task.init(Stream(0), {"lr": 1e-3})
    shown = task.illustrate(state, Stream(1))
    assert shown["frames"].shape == (episode.PICTURES, 24 * episode.PIXELS, 24 * episode.PIXELS, 3)
    assert shown["spatial"].shape == (episode.PICTURES, 16, 16)
    np.testing.assert_allclose(shown["spatial"].sum((1, 2)), 1, rtol=1e-5)
    functions = {function.id: function for function in FUNCTIONS.values()}
    for identifier, point in zip(shown["functions"].tolist(), shown["points"], strict=True):
        assert (point >= 0).all() == ("screen" in functions[identifier].arguments)
        assert (point < 16).all()
    assert len(np.unique(shown["frames"].reshape(episode.PICTURES, -1), axis=0)) > 1


def test_metrics_of_an_interval_tell_a_collapse():
    """The functions' shares are recorded with every evaluation."""
    task = StarCraft(**TINY)
    state = task.step(task.init(Stream(0), {"lr": 1e-3}), {"lr": 1e-3}, 4 * 20, Stream(1))
    metrics = task.evaluate(state, Stream(2)).metrics
    shares = {name: metrics[f"share_of_{name}"] for name in MAPS["MoveToBeacon"].functions}
    assert sum(shares.values()) == pytest.approx(1)
    assert 0 < metrics["function_entropy"] <= np.log(len(shares))
