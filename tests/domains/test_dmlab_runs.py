"""Runs of first-person levels: equal records for any number of workers, after a kill, and on the real one's adapter."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from waiting import LONG

for module in ("vizdoom", "labmaze"):
    pytest.importorskip(module, reason=f"{module} is not installed: pip install -c constraints.txt -e '.[dmlab]'")

from pbt_core import PBT, Plan, Processes, Serial, Stream  # noqa: E402 (torch's import takes long)
from reproductions.dmlab.doom import scenario  # noqa: E402
from reproductions.dmlab.engine import launch  # noqa: E402
from reproductions.dmlab.levels import LEVELS  # noqa: E402
from reproductions.dmlab.sweep import SCALES  # noqa: E402
from reproductions.dmlab.task import DMLab  # noqa: E402
from reproductions.suite.study.registry import ConfigError  # noqa: E402

PLAN = Plan(population=3, steps=240, interval=80, seed=0)
METHOD = PBT(ready=80)
HYPERPARAMETERS = {"lr": 1e-3, "entropy_cost": 0.01, "unroll": 7}


def tiny(folder: Path, **changes: object) -> DMLab:
    (folder / "data").mkdir(exist_ok=True)
    return DMLab(**{**SCALES["smoke"].task, "data": str(folder / "data"), **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def expected(folder: Path) -> list[object]:
    """The record of one worker that nothing happens to."""
    events = list(Serial().run(tiny(folder), METHOD, PLAN, folder / "serial").events)
    assert any(event["event"] == "cloned" for event in events)
    return events


def test_records_are_the_same_for_any_number_of_workers(folder: Path, expected: list[object]) -> None:
    """Games are shared by the members of a worker, and every one goes on where it was. (Two workers: the next test.)"""
    assert list(Processes(workers=3).run(tiny(folder), METHOD, PLAN, folder / "three").events) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills an engine with its driver")
def test_a_run_that_is_killed_leaves_no_engine_and_goes_on_to_the_same_record(
    folder: Path, expected: list[object]
) -> None:
    """SIGKILL for the driver alone, in the middle: workers and engines end by themselves."""
    program = f"""
import os, signal
from pathlib import Path
import psutil
from pbt_core import Processes
from test_dmlab_runs import METHOD, PLAN, tiny

def die(event):
    left[0] -= 1
    if not left[0]:
        print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

left = [6]
folder = Path({str(folder)!r})
if __name__ == "__main__":
    Processes(workers=2).run(tiny(folder), METHOD, PLAN, folder / "killed", die)
"""
    path = folder / "killed.py"
    path.write_text(f"import sys\nsys.path[:] = {sys.path!r}\n{program}")
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        pids = [int(pid) for pid in driver.stdout.readline().split()]
    left = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert len(pids) >= 2 + 2 * 2  # workers, and the engines of each
    _, alive = psutil.wait_procs(left, timeout=LONG)
    assert not alive
    run = Processes(workers=2).run(tiny(folder), METHOD, PLAN, folder / "killed")
    assert list(run.events) == expected


def test_on_deepmind_lab_records_are_the_same_whatever_a_worker_did_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a fresh process repeats a level, as the fake does: every interval has one of its own."""
    (tmp_path / "deepmind_lab.py").write_text("from fake_deepmind_lab import *\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    task = tiny(tmp_path, engine="deepmind_lab", level="seekavoid_arena_01", size=16)
    plan = replace(PLAN, population=2, steps=80)
    runs = [Serial().run(task, METHOD, plan, tmp_path / name) for name in ("one", "other")]
    assert list(runs[0].events) == list(runs[1].events)
    task.make_environments().close()  # type: ignore[attr-defined]
    assert not list(tmp_path.glob("data/**/scratch-*"))


def test_the_weight_of_pixel_control_is_searched_for_where_it_is_asked_for(folder: Path) -> None:
    """It rules at every step; without it the setting does."""
    fixed, searched = tiny(folder), tiny(folder, search_pixel_control=True)
    assert "pixel_control" not in fixed.space
    assert {**fixed.space, "pixel_control": searched.space["pixel_control"]} == dict(searched.space)
    assert fixed.coefficients(HYPERPARAMETERS)["pixel_control"] == fixed.pixel_control
    assert searched.coefficients({**HYPERPARAMETERS, "pixel_control": 0.02})["pixel_control"] == 0.02
    with pytest.raises(ConfigError, match=r"task\.pixel_control = 0 leaves pixel control out"):
        replace(searched, pixel_control=0).prepare(PLAN)


def test_a_clone_takes_weights_and_keeps_its_own_games_and_memory(folder: Path) -> None:
    """Experience stays where it was made, and a checkpoint is mostly that: a byte a pixel."""
    task = tiny(folder)
    states = [task.init(Stream(seed), HYPERPARAMETERS) for seed in (0, 1)]
    parent, child = (
        task.save(task.step(state, HYPERPARAMETERS, 80, Stream(seed))) for seed, state in enumerate(states)
    )
    adopted = task.save(task.load(parent.adopted_by(child), HYPERPARAMETERS))
    for name in parent.tensors:
        source = child if name.startswith("own.") else parent
        np.testing.assert_array_equal(adopted.tensors[name], source.tensors[name])
    frames = parent.tensors["own.memory.observations.pixels"]
    assert frames.dtype == np.uint8
    assert not np.array_equal(frames, child.tensors["own.memory.observations.pixels"])


@pytest.mark.parametrize("harm", [b"", b"{}", b"[" * 100_000], ids=["empty", "no-names", "deep"])
def test_damaged_levels_are_one_line_before_any_engine_starts(harm: bytes, tmp_path: Path) -> None:
    """With the setting, the file and what makes the folder anew."""
    task = tiny(tmp_path)
    path = scenario(LEVELS[task.level], tmp_path / "data")
    path.with_name("manifest.json").write_bytes(harm)
    with pytest.raises(ConfigError, match=r"^task\.data = '.*manifest\.json .* remove the folder to build it again$"):
        task.prepare(PLAN)
    assert not list(tmp_path.glob("data/doom-starting"))


def test_a_launcher_that_may_not_run_is_one_line(tmp_path: Path) -> None:
    """ViZDoom would end the process where it cannot start an engine."""
    task = tiny(tmp_path)
    launch(tmp_path / "data").chmod(0o644)
    with pytest.raises(ConfigError, match=r"^task\.data = '.*/launch cannot be executed: chmod \+x it"):
        task.prepare(PLAN)


def test_figures_and_settings_need_no_engine() -> None:
    """Only the task imports one."""
    program = (
        "import sys; import reproductions.dmlab.sweep, reproductions.dmlab.analysis; "
        "print({'vizdoom', 'labmaze', 'deepmind_lab', 'torch'} & set(sys.modules))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.stdout == "set()\n"
