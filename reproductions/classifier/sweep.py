"""What is measured on the classifier."""

from itertools import product
from typing import Any

from pbt_core import LogUniform, Space, Uniform
from reproductions.suite.study.requirements import modules
from reproductions.suite.study.sweep import Expected, Measure, Scale

# Momentum is searched by its distance from 1, on a logarithmic scale: a step moves the weights by about lr / (1 - momentum),
# so a factor means the same anywhere, and 0.9 times 1.2 does not leave the range. All ranges are our choice: what one would
# draw for a perceptron without having trained it, and low enough for hand-made schedules to decay in.
SPACE = Space(
    {
        "lr": LogUniform(1e-4, 1.0),
        "one_minus_momentum": LogUniform(0.01, 1.0),
        "weight_decay": LogUniform(1e-6, 1e-2),
        "dropout": Uniform(0.0, 0.5),
    }
)

MEASURE = Measure(
    score="accuracy, selecting images",
    unit="%",
    held_out="accuracy, reported images",
    step="optimiser steps",
    labels={
        "lr": "learning rate",
        "one_minus_momentum": "1 - momentum",
        "weight_decay": "weight decay",
    },
    logarithmic=("lr", "one_minus_momentum", "weight_decay"),
    margin=0.5,
)

PROBLEMS: dict[str, dict[str, Any]] = {"fashion_mnist": {}}


def _values(lr: float, dropout: float) -> dict[str, float]:
    return {"lr": lr, "one_minus_momentum": 0.1, "weight_decay": 1e-4, "dropout": dropout}


def _tuned(steps: int, rates: tuple[float, ...], dropouts: tuple[float, ...]) -> list[dict[str, Any]]:
    """Each rate constant without dropout; each with each dropout falling linearly to a fiftieth, at once or from half-way."""
    decay = {"kind": "annealed", "end": steps, "decay": "linear", "final": 0.02, "only": ["lr"]}
    return [
        *({"kind": "fixed", "values": _values(rate, 0.0)} for rate in rates),
        *(
            {**decay, "hold": hold, "values": _values(rate, dropout)}
            for rate, dropout, hold in product(rates, dropouts, (0, steps // 2))
        ),
    ]


def _methods(
    population: int, steps: int, ready: int, tuned: list[dict[str, Any]], periods: list[int], fire: dict[str, Any]
) -> dict[str, Any]:
    """PBT, its parts, and other searches at the same budget: those that train one setting after another do it in four rounds.

    The first round of the model-based ones is drawn from the prior (our choice: a quarter of the trainings). periods and fire:
    settings of PBT's successors, MF-PBT and FIRE PBT, whose papers have none for so few decisions (our choice).
    """
    slots = population // 4
    rounds = {"plan": {"population": slots, "steps": 4 * steps}, "training_steps": steps}
    bayesian, halving = (
        {"kind": "bayesian", "startup_trainings": slots, **rounds},
        {"kind": "halving", "first_rung": 2 * ready, **rounds},
    )
    pbt = {"kind": "pbt", "ready": ready, "exploit": {"kind": "truncation"}}
    t_test = {"kind": "welch_t_test", "over": "evaluations", "window": 4, "level": 0.1}
    return {
        "pbt": pbt,
        "pbt_t_test": {**pbt, "exploit": t_test},
        "pbt_tournament": {**pbt, "exploit": {"kind": "binary_tournament"}},
        "random_search": {"kind": "random_search"},
        "random_schedules": {"kind": "random_schedules", "steps": steps, "annealed": ["lr"]},
        "hand_tuned": {"kind": "scheduled", "schedules": tuned},
        "weights_only": {**pbt, "copy": ["weights"], "explore": []},
        "hyperparameters_only": {**pbt, "copy": ["hyperparameters"]},
        "pb2": {**pbt, "kind": "pb2"},
        "mf_pbt": {"kind": "mf_pbt", "ready": ready, "periods": periods},
        "fire_pbt": {"kind": "fire_pbt", "ready": ready, **fire},
        "tpe": {**bayesian, "sampler": "tpe"},
        "gp": {**bayesian, "sampler": "gp"},
        "asha": {**halving, "pruner": "asha"},
        "hyperband": {**halving, "pruner": "hyperband"},
        "genetic": {"kind": "genetic", **rounds},
    }


def _fire(min_eval_steps: int, max_eval_steps: int, level: float) -> dict[str, Any]:
    return {"min_eval_steps": min_eval_steps, "max_eval_steps": max_eval_steps, "level": level}


# The serial engine: runs are many and short, so two at a time are better than two workers for one.
SCALES = {
    "smoke": Scale(
        problems=("fashion_mnist",),
        population=4,
        steps=40,
        interval=10,
        engine="serial",
        workers=1,
        task={"train": 500, "select": 200, "test": 200, "hidden": 16},
        methods=_methods(4, 40, 10, _tuned(40, (0.01,), (0.0,)), [1, 2], _fire(0, 20, 0.3)),
    ),
    "laptop": Scale(
        problems=("fashion_mnist",),
        population=20,
        steps=1500,
        interval=50,
        engine="serial",
        workers=1,
        methods=_methods(
            20, 1500, 50, _tuned(1500, (0.01, 0.02, 0.04, 0.08), (0.0, 0.2)), [1, 2, 4, 8], _fire(150, 300, 0.1)
        ),
    ),
    # The paper has no such task. This is ours at its full size: all images, all pixels, a population as large as the paper's.
    "paper": Scale(
        problems=("fashion_mnist",),
        population=80,
        steps=20_000,
        interval=200,
        task={"train": 50_000, "select": 10_000, "test": 10_000, "pool": 1, "hidden": 512, "batch": 64},
        methods=_methods(
            80,
            20_000,
            200,
            _tuned(20_000, (0.01, 0.02, 0.04, 0.08), (0.0, 0.2)),
            [1, 4, 8, 20],
            _fire(1000, 2000, 0.05),
        ),
    ),
}
METHODS = SCALES["laptop"].methods

EXPECTED: tuple[Expected, ...] = ()
REQUIRES = modules("torch", extra="classifier")
