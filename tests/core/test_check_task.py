"""What ``check_task`` finds, what it accepts, and that it says what is so."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest

from pbt_core import Checkpoint, Choice, LogUniform, Score, Space, Uniform
from pbt_core.testing import Hill, check_task

LR = LogUniform(1e-3, 0.5)


class Shrinking:
    """Goes down by its learning rate."""

    space = Space({"lr": LR})

    def init(self, seed, hyperparameters):
        return {"x": seed.generator().normal(size=3) + 3}

    def rate(self, hyperparameters):
        return hyperparameters["lr"]

    def step(self, state, hyperparameters, steps, seed):
        for _ in range(steps):
            state["x"] *= 1 - 0.1 * self.rate(hyperparameters)
        return state

    def evaluate(self, state, seed):
        return Score(-float(np.square(state["x"]).sum()))

    def save(self, state):
        return Checkpoint(state)

    def load(self, checkpoint, hyperparameters):
        return {name: np.array(array) for name, array in checkpoint.tensors.items()}


class Taking(Shrinking):
    """Trains in the arrays that it was given: they are its own, since each load reads them anew."""

    def load(self, checkpoint, hyperparameters):
        return dict(checkpoint.tensors)


MODEL = {"x": np.zeros(3)}


class Shared(Shrinking):
    """One model for all members: wrong as soon as two are held."""

    def init(self, seed, hyperparameters):
        MODEL["x"] = super().init(seed, hyperparameters)["x"]
        return MODEL

    def load(self, checkpoint, hyperparameters):
        MODEL["x"] = super().load(checkpoint, hyperparameters)["x"]
        return MODEL


class Fresh(Shared):
    """Shares in init alone."""

    load = Shrinking.load


class Momentum(Shrinking):
    """Matters beside one optimiser alone."""

    space = Space({"kind": Choice(("sgd", "adam", "lion")), "momentum": Uniform(0.0, 0.9), "lr": LR})

    def rate(self, hyperparameters):
        rates = {"sgd": 1 - hyperparameters["momentum"], "adam": 0.5, "lion": 0.7}
        return hyperparameters["lr"] * rates[hyperparameters["kind"]]


class Clipping(Shrinking):
    """By a clip that bites after 100 steps."""

    space = Space({"clip": Uniform(5.0, 50.0), "lr": LR})

    def init(self, seed, hyperparameters):
        return super().init(seed, hyperparameters) | {"t": np.zeros(())}

    def step(self, state, hyperparameters, steps, seed):
        for _ in range(steps):
            state["t"] = state["t"] + 1
            state["x"] = state["x"] * (1 - 0.01 * hyperparameters["lr"])
            if state["t"] > 100:
                state["x"] = state["x"] / hyperparameters["clip"]
        return state


class Ignoring(Shrinking):
    def rate(self, hyperparameters):
        return 0.1


class Forgetful(Hill):
    def save(self, state):
        return Checkpoint({"x": state["x"]})

    def load(self, checkpoint, hyperparameters):
        return {"x": np.array(checkpoint.tensors["x"]), "v": np.zeros(3)}


class Pickled(Shrinking):
    """Kept as a pickle, whose bytes depend on which objects are one."""

    def init(self, seed, hyperparameters):
        name = "".join(["weights of ", "this one"])
        return super().init(seed, hyperparameters) | {"names": [name, name], "trained": 0}

    def step(self, state, hyperparameters, steps, seed):
        names = [str(name).encode().decode() for name in state["names"]] if state["trained"] else state["names"]
        return super().step(state, hyperparameters, steps, seed) | {"names": names, "trained": 1}

    def save(self, state):
        kept = {"x": state["x"], "names": state["names"]}
        return Checkpoint({"booster": np.frombuffer(pickle.dumps(kept), np.uint8)})

    def load(self, checkpoint, hyperparameters):
        return pickle.loads(checkpoint.tensors["booster"].tobytes()) | {"trained": 0}  # noqa: S301 - as people do


class Drawing(Shrinking):
    def evaluate(self, state, seed):
        return Score(random.SystemRandom().random())


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", [Shrinking(), Taking(), Momentum()], ids=lambda task: type(task).__name__)
def test_a_task_that_is_right_is_accepted(task, seed):
    """Training in the arrays of a checkpoint is right; so is a setting that matters beside some value of another."""
    check_task(task, seed=seed)


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        (
            Shared(),
            r"^two states share something: one was changed, in 'x' when another, made by load, was trained; make",
        ),
        (
            Fresh(),
            r"^two states share something: one was changed, in 'x' when another, made by init, was trained; make",
        ),
        (
            Ignoring(),
            r"^lr: changing it from .* changes nothing; set it .* \(or train more, .* more than 3 steps: check_task",
        ),
        (Clipping(), r"^clip: changing it from .* changes nothing; .*steps=\.\.\.\)\)$"),
        (Forgetful(), r"^a reloaded state continues differently, in 'x': save leaves something out \([^)]*\)$"),
        (
            Pickled(),
            r"continues differently, in 'booster': .*; or it is the same and 'booster', a pickle, is not, since",
        ),
        (Drawing(), r"^evaluate is not deterministic"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_task_that_breaks_a_rule_is_told_which_and_where(task, rule):
    """And what else it may be."""
    with pytest.raises(AssertionError, match=rule):
        check_task(task)


def test_more_steps_show_what_needs_them():
    """As the error says."""
    check_task(Clipping(), steps=110)


def test_the_checks_check_without_assertions_too():
    """``python -O`` leaves out assert statements."""
    program = (
        "from test_check_task import Ignoring\nfrom pbt_core.testing import check_task\n"
        "try:\n    check_task(Ignoring())\nexcept AssertionError as error:\n    print(str(error)[:20])"
    )
    command = [sys.executable, "-O", "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=__file__.rpartition("/")[0])
    assert run.stdout == "lr: changing it from\n"
