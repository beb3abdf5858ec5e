"""A domain is added by its folder, its extra and its experiment: everything else follows from the folder."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from checkouts import ROOT, command, copied, snakemake
from waiting import LONG

from reproductions.suite.study import registry

SWEEP = '''
"""What is measured on a slope."""

from pbt_core import LogUniform, Space
from reproductions.suite.study.sweep import Measure, Scale

SPACE = Space({"lr": LogUniform(1e-3, 1.0)})
MEASURE = Measure(score="height", unit="m", held_out=None, step="steps")
PROBLEMS = {"hill": {}, "valley": {"depth": 2.0}}
SCALES = {name: Scale(("hill",), population=4, steps=40, interval=10) for name in ("smoke", "laptop", "paper")}
METHODS = {"pbt": {"kind": "pbt", "ready": 10}, "random_search": {"kind": "random_search"}}
EXPECTED = ()
REQUIRES = ()
'''
TASK = '''
"""A slope to climb."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pbt_core import Checkpoint, Hyperparameters, Score, Stream
from reproductions.ninth.sweep import SPACE
from reproductions.suite.study.domain import DomainTask


@dataclass(frozen=True)
class Slope(DomainTask[float]):
    """Gradient ascent on -x^2, begun at ``depth``."""

    depth: float = 1.0
    space = SPACE

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> float:
        return self.depth

    def step(self, state: float, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> float:
        return float(state * (1 - 0.1 * float(hyperparameters["lr"])) ** steps)  # type: ignore[arg-type]

    def evaluate(self, state: float, seed: Stream) -> Score:
        return Score(-(state**2))

    def save(self, state: float) -> Checkpoint:
        return Checkpoint({"x": np.array(state)})

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> float:
        return float(checkpoint.tensors["x"])


TASK = Slope
'''
ANALYSIS = '''
"""Figures and claims of the slope."""

from __future__ import annotations

from collections.abc import Sequence

from reproductions.ninth.sweep import MEASURE
from reproductions.suite.figures import plotting
from reproductions.suite.figures.plotting import Figures
from reproductions.suite.results.claims import Claim
from reproductions.suite.results.records import Record

CLAIMS = (Claim("PBT climbs higher", "so it says", "recall", "ninth", "ninth", {"pbt": 1, "random_search": -1}),)


def figures(records: Sequence[Record]) -> Figures:
    """Name and maker of each figure."""
    return plotting.of_domain(records, MEASURE)
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with a domain more: a folder, and an experiment in the configuration."""
    checkout = copied(tmp_path_factory.mktemp("checkout"))
    folder = checkout / "reproductions" / "ninth"
    folder.mkdir()
    files = {"sweep.py": SWEEP, "task.py": TASK, "analysis.py": ANALYSIS}
    for name, text in {"__init__.py": '"""A slope."""\n', **files}.items():
        (folder / name).write_text(text.lstrip())
    smoke = checkout / "config" / "smoke.yaml"
    experiments = yaml.safe_load(smoke.read_text())
    experiments["experiments"] = {"ninth": {"methods": ["pbt", "random_search"], "seeds": [0, 1]}}
    smoke.write_text(json.dumps(experiments))
    return checkout


def test_a_new_domain_is_run_compared_drawn_judged_and_tracked(checkout):
    """By the commands of all others."""
    snakemake("ninth", "--configfile", "config/smoke.yaml", cwd=checkout)
    command("reproductions", "list", cwd=checkout)
    runs = sorted(checkout.glob("results/smoke/runs/ninth/hill/*/default/seed-*/summary.json"))
    assert len(runs) == 4
    assert all(json.loads(path.read_text())["versions"]["numpy"] for path in runs)
    assert (checkout / "results/smoke/tables/ninth/comparison.csv").read_text().count("\n") >= 3
    assert (checkout / "figures/smoke/ninth/scores.svg").exists()
    folders = [str(path.parent) for path in runs]
    command("reproductions", "runs", *folders, "--out", "runs.csv", cwd=checkout)
    judged = command("reproductions", "claims", "runs.csv", "--out", "judged", cwd=checkout)
    assert "PBT climbs higher" in (checkout / "judged" / "claims.csv").read_text(), judged.stdout
    command("reproductions", "track", *folders, "--store", "store", cwd=checkout)
    assert (checkout / "store" / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("task.py", "import reproductions.toy.task", "domains do not import each other"),
        ("analysis.py", "import torch", "figures and verdicts need neither torch nor a task"),
        ("analysis.py", "import reproductions.ninth.task", "figures and verdicts need neither torch nor a task"),
        ("task.py", "import mlflow", "only tracking imports mlflow"),
    ],
    ids=["another-domain", "torch-in-figures", "task-in-figures", "mlflow"],
)
def test_a_new_domain_that_breaks_a_contract_is_caught_without_being_listed(file, line, contract, checkout):
    """The contracts are written with wildcards."""
    path = checkout / "reproductions" / "ninth" / file
    before = path.read_text()
    path.write_text(
        before.replace("from __future__ import annotations\n", f"from __future__ import annotations\n\n{line}\n")
    )
    try:
        code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
        done = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, timeout=LONG)
    finally:
        path.write_text(before)
    assert done.returncode == 1
    broken = [row for row in done.stdout.splitlines() if "BROKEN" in row]
    assert len(broken) == 1
    assert broken[0].startswith(contract[:40])


def test_every_domain_with_requirements_has_an_extra_that_is_installed_with_all():
    """Its packages are listed in one place, and pulled in from another."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    everything = extras["all"][0].partition("[")[2].rstrip("]").split(",")
    asking = [domain for domain in registry.domains() if registry.sweep(domain).REQUIRES]
    assert asking
    assert set(asking) <= extras.keys()
    assert set(asking) <= set(everything)
