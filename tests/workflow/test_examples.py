"""Each example keeps the contract of tasks, learns in a short run, and can be imported without running."""

import importlib
import re
import subprocess
import sys

import pytest
from checkouts import ROOT

from pbt_core import PBT, Plan, Serial
from pbt_core.testing import check_task

EXAMPLES = ROOT / "examples"
#: By example, its task and the score that eight members reach in 100 steps: far above the 0.1 of guessing.
TASKS = {"digits": "Digits", "torch_model": "TASK", "sklearn_partial_fit": "Linear"}


@pytest.fixture
def imported(monkeypatch):
    """An example as a module, imported as a file of its own folder."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module


def test_every_example_says_how_it_is_run():
    """In its first line, which a reader sees first."""
    for path in EXAMPLES.glob("*.py"):
        first = path.read_text().splitlines()[0]
        assert re.search(rf"Run: python examples/{path.name}", first), path


@pytest.mark.parametrize("name", TASKS)
def test_the_task_of_an_example_keeps_the_contract_and_learns(name, imported, tmp_path):
    """With the serial engine, and a tenth of the steps that the example takes."""
    task = getattr(imported(name), TASKS[name])
    task = task() if isinstance(task, type) else task
    check_task(task)
    run = Serial().run(task, PBT(ready=20), Plan(population=8, steps=100, interval=10), tmp_path)
    assert run.score > 0.7


@pytest.mark.parametrize("name", TASKS)
def test_an_example_of_a_task_runs_as_its_first_line_says(name, tmp_path):
    """As a newcomer would, in worker processes, away from the checkout; what it prints is far above guessing."""
    selected = re.search(r"selected at ([\d.]+)", program(name, tmp_path))
    assert selected
    assert float(selected[1]) > 0.85


@pytest.mark.parametrize(
    ("name", "says"), [("search_space", "begins with"), ("own_method", "restarts"), ("simulated", "virtual hours")]
)
def test_an_example_without_a_task_runs_as_its_first_line_says(name, says, tmp_path):
    """Away from the checkout, with warnings as errors; the method checks itself against the contract of methods."""
    assert says in program(name, tmp_path)


def program(name, folder):
    """What an example prints, run in ``folder`` with warnings as errors."""
    command = [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
