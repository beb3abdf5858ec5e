"""At least one description of each kind: what the contract tests run, and what a user may start from.

Apart from ``kinds``, on which every run depends: another example makes no run stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PBT = {"kind": "pbt", "ready": 20}
_HALVING = {"kind": "halving", "training_steps": 40, "first_rung": 10, "reduction_factor": 2}

#: Descriptions of methods that between them use every kind but a replay, which needs a file: the contract tests run them.
#: Their hyperparameters are those of ``pbt_core.testing.Hill``.
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "pbt": _PBT,
    "pbt, t-test": {**_PBT, "exploit": {"kind": "welch_t_test"}},
    "pbt, t-test over evaluations": {
        **_PBT,
        "exploit": {"kind": "welch_t_test", "over": "evaluations", "window": 4},
    },
    "pbt, tournament": {**_PBT, "exploit": {"kind": "binary_tournament"}},
    "pbt, weights only": {**_PBT, "copy": ["weights"], "explore": []},
    "pbt, hyperparameters only": {**_PBT, "copy": ["hyperparameters"]},
    "pbt, resample then perturb": {
        **_PBT,
        "explore": [{"kind": "resample"}, {"kind": "perturb", "factors": [1.2, 1 / 1.2]}],
    },
    "explore only": {**_PBT, "exploit": None, "explore": [{"kind": "noise", "scale": 0.1}]},
    "pbt, nudge": {**_PBT, "explore": [{"kind": "nudge", "share": 0.2}]},
    "pbt, a known setting": {**_PBT, "initial": [{"lr": 0.1}]},
    "pbt until a step": {**_PBT, "until": 40},
    "pb2": {"kind": "pb2", "ready": 20, "startup_intervals": 4},
    "mf_pbt": {"kind": "mf_pbt", "ready": 10, "periods": [1, 2]},
    "fire_pbt": {"kind": "fire_pbt", "ready": 10, "max_eval_steps": 40, "level": 0.2},
    "bayesian, tpe": {"kind": "bayesian", "sampler": "tpe", "training_steps": 20, "startup_trainings": 5},
    "bayesian, gp": {"kind": "bayesian", "sampler": "gp", "training_steps": 30, "startup_trainings": 12},
    "halving, asha": {**_HALVING, "pruner": "asha"},
    "halving, hyperband": {**_HALVING, "pruner": "hyperband"},
    "genetic": {"kind": "genetic", "training_steps": 20},
    "random search": {"kind": "random_search"},
    "random schedules": {"kind": "random_schedules", "steps": 60, "annealed": ["lr"]},
    "fixed": {"kind": "scheduled", "schedules": [{"kind": "fixed", "values": {"lr": 0.1, "decay": 0.1}}]},
    "annealed": {
        "kind": "scheduled",
        "schedules": [{"kind": "annealed", "values": {"lr": 0.5, "decay": 0.5}, "hold": 20, "end": 60}],
    },
    "noam": {
        "kind": "scheduled",
        "schedules": [{"kind": "noam", "values": {"decay": 0.5}, "peak": 0.5, "warmup": 30, "lead": 5}],
    },
    "piecewise": {
        "kind": "scheduled",
        "schedules": [
            {"kind": "piecewise", "points": [[0, {"lr": 0.5, "decay": 0.1}], [40, {"lr": 0.1, "decay": 0.1}]]}
        ],
    },
}
