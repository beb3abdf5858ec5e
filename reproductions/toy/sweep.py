"""What is measured on the toy problem."""

from typing import Any

from pbt_core import Space, Uniform
from reproductions.suite.study.requirements import Requirement
from reproductions.suite.study.sweep import Expected, Measure, Scale

# The surrogate's weights. The bounds are our choice: a negative weight would climb away from the maximum; 2 hardly ever binds.
SPACE = Space({"h0": Uniform(0.0, 2.0), "h1": Uniform(0.0, 2.0)})

MEASURE = Measure(score="Q(theta)", unit="", held_out=None, step="steps", margin=0.01)

PROBLEMS: dict[str, dict[str, Any]] = {"quadratic": {}}

# Learning rate, length, ready interval and noise are unknown; 0.01, 200, 4 and N(0, 0.1) are what reimplementations use.
# One step an evaluation: figure 2 draws every step. Asynchronous: two workers in lock-step with these mirrored settings
# would stay equal for ever and never copy; in turns, one exploits before the other has stepped.
_SCALE = Scale(("quadratic",), population=2, steps=200, interval=1, synchronous=False, engine="serial", workers=1)
SCALES = {"smoke": _SCALE, "laptop": _SCALE, "paper": _SCALE}

_START = ({"h0": 1.0, "h1": 0.0}, {"h0": 0.0, "h1": 1.0})
_EXPLORE = [{"kind": "noise", "scale": 0.1}]
# Exploit copies theta only: with h copied too, exploit-only ends where the grid does, since both workers then neglect
# the same coordinate.
_EXPLOIT = {"kind": "binary_tournament"}
_PBT = {"kind": "pbt", "ready": 4, "copy": ["weights"], "initial": _START}
METHODS = {
    "pbt": {**_PBT, "exploit": _EXPLOIT, "explore": _EXPLORE},
    "explore_only": {**_PBT, "exploit": None, "explore": _EXPLORE},
    "exploit_only": {**_PBT, "exploit": _EXPLOIT, "explore": []},
    "grid": {"kind": "scheduled", "schedules": [{"kind": "fixed", "values": values} for values in _START]},
}

#: What is drawn of its runs.
FIGURES = ("figure2", "scores", "best_so_far")

EXPECTED = (Expected("pbt", "Q, which has its maximum at 1.2", 1.2, "medium"),)
REQUIRES: tuple[Requirement, ...] = ()
