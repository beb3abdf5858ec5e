"""DeepMind Lab in a process of its own, on the fake module: repeatable, and whatever happens there is one error here."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import fake_deepmind_lab as fake
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from waiting import LONG

from reproductions.dmlab import lab_process
from reproductions.dmlab.lab import DeepMindLab
from reproductions.dmlab.lab_process import LabProcess, check

LEVEL, MISSING = "seekavoid_arena_01", "contributed/dmlab30/natlab_fixed_large_map"


@pytest.fixture(autouse=True)
def deepmind_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake under the real one's name, for this process and those that it starts."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "deepmind_lab.py").write_text("from fake_deepmind_lab import *\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(sys.modules, "deepmind_lab", fake)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., LabProcess]]:
    made = []

    def build(level: str = LEVEL, batch: int = 2) -> LabProcess:
        made.append(LabProcess(level, batch, 8, tmp_path / "run", tmp_path / "maps"))
        return made[-1]

    yield build
    for environments in made:
        environments.close()
    assert not list(tmp_path.glob("run/scratch-*")), "temporary files were left"


def played(environments: LabProcess | DeepMindLab, seed: int, steps: int = 30) -> list[NDArray[np.generic]]:
    """Everything seen, rewarded and ended in ``steps`` steps of random play, through two ends of episodes."""
    environments.begin(seed)
    seen: list[NDArray[np.generic]] = [environments.observe()["pixels"].copy()]
    for actions in np.random.default_rng(seed).integers(0, environments.actions.n, (steps, environments.batch)):
        seen += [*environments.step(actions), environments.observe()["pixels"].copy()]
    return seen


def equal(one: list[NDArray[np.generic]], other: list[NDArray[np.generic]]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def processes() -> list[psutil.Process]:
    """Those of DeepMind Lab that this one has started."""
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has ended, of another test
            if lab_process.__name__ in each.cmdline():
                found.append(each)
    return found


def test_a_seed_names_the_same_episodes_whatever_was_played_before(make: Callable[..., LabProcess]) -> None:
    """As it does in a process that has just started, and not in one that has reset before."""
    environments = make()
    first, between, again = (played(environments, seed) for seed in (3, 4, 3))
    assert equal(first, again)
    assert not equal(first, between)
    fake.fresh_process()
    here = DeepMindLab(LEVEL, 2, 8, environments._folder)
    assert equal(first, played(here, 3))
    assert not equal(first, played(here, 3))
    here.close()
    assert len(processes()) == 1


def test_a_map_that_is_missing_is_one_error_of_whoever_begins(make: Callable[..., LabProcess]) -> None:
    """DeepMind Lab calls exit; the driver lives, and others play on."""
    environments, other = make(MISSING), make()
    other.begin(0)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=rf"level = '{MISSING}' cannot be played: .*exit code 1: Can't find map"):
            environments.begin(0)
    other.step(np.zeros(2, np.int64))


def test_a_process_that_is_killed_fails_the_step_and_the_next_beginning_has_another(
    make: Callable[..., LabProcess],
) -> None:
    """A crash there, a segmentation fault say, is not the end of a worker."""
    environments = make()
    first = played(environments, 3)
    (process,) = processes()
    os.kill(process.pid, signal.SIGSEGV)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="DeepMind Lab ended with signal 11"):
            environments.step(np.zeros(2, np.int64))
    assert equal(played(environments, 3), first)


def test_nothing_reaches_deepmind_lab_after_close_or_before_the_beginning(make: Callable[..., LabProcess]) -> None:
    """Where it would end the process; closing twice is nothing, and what has been closed can begin again."""
    environments = make()
    for _ in range(2):
        with pytest.raises(RuntimeError, match="no episode has begun"):
            environments.step(np.zeros(2, np.int64))
        environments.begin(0)
        environments.close()
        environments.close()
        assert not processes()


def test_a_killed_driver_leaves_no_process_and_no_temporary_files_of_deepmind_lab(tmp_path: Path) -> None:
    """SIGKILL, which nobody can answer. The driver's own folder goes with whoever comes next."""
    program = f"""
import time
from pathlib import Path
from reproductions.dmlab.lab_process import LabProcess
environments = LabProcess({LEVEL!r}, 2, 8, Path({str(tmp_path / "run")!r}))
environments.begin(0)
print("begun", flush=True)
time.sleep(1000)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "begun\n"
        children = psutil.Process(driver.pid).children(recursive=True)
        assert len(list(tmp_path.glob("run/scratch-*/labs/scratch-*/dmlab_temp_folder_*"))) == 2
        driver.kill()
    assert len(children) == 1
    _, alive = psutil.wait_procs(children, timeout=LONG)
    assert not alive
    assert not list(tmp_path.glob("run/scratch-*/labs/scratch-*"))
    with pytest.raises(ValueError, match="Level not found"):
        check("lt_nowhere", 8, tmp_path / "run")
    assert not list(tmp_path.glob("run/scratch-*"))


def test_what_cannot_be_played_is_found_out_beforehand(tmp_path: Path) -> None:
    """One line with the level and what DeepMind Lab said, or the rule; no process and no files are left."""
    check(LEVEL, 84, tmp_path / "run")
    for level, said in ((MISSING, "Can't find map"), ("lt_nowhere", "Level not found: lt_nowhere")):
        with pytest.raises(ValueError, match=rf"level = '{level}' .*{said}"):
            check(level, 84, tmp_path / "run")
    with pytest.raises(ValueError, match="size = 42 must be a positive multiple of 4"):
        check(LEVEL, 42, tmp_path / "run")
    with pytest.raises(ValueError, match="level = 'emstm_watermaze' is not public"):
        check("emstm_watermaze", 84, tmp_path / "run")
    with pytest.raises(ValueError, match="actions = 8 must be one of 9, 15"):
        LabProcess(LEVEL, 1, 8, tmp_path / "run", actions=8)
    assert not processes()
    assert not list(tmp_path.glob("run/scratch-*"))


def test_without_deepmind_lab_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is named, as an import of it would."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="No module named 'deepmind_lab'"):
        LabProcess(LEVEL, 1, 8, tmp_path / "run")
