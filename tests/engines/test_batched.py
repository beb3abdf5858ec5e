"""The batched engine: members as one program."""

from dataclasses import dataclass

import numpy as np
import pytest

from pbt_core import PBT, Batched, Checkpoint, Plan, Serial, Stream
from pbt_core.testing import Hill, check_engine, check_population
from reproductions.suite.cli import main

PLAN = Plan(population=6, steps=60, interval=10, seed=3)


@dataclass(frozen=True)
class Together(Hill):
    """A population form that rounds as the members' own: it trains one after the other."""

    def step_all(self, states, hyperparameters, steps, seeds):
        return [self.step(s, h, steps, seed) for s, h, seed in zip(states, hyperparameters, seeds, strict=True)]


@dataclass(frozen=True)
class Wrong(Together):
    """Its population form is wrong in the way that ``mistake`` says."""

    mistake: str = "none"

    def step_all(self, states, hyperparameters, steps, seeds):
        after = super().step_all(states, hyperparameters, steps, seeds)
        if self.mistake == "values":
            after[1]["x"] = after[1]["x"] + 0.01
        elif self.mistake == "count":
            after.pop()
        else:
            after[0] = None
        return after


def records(folder, task):
    """What the serial and the batched engine record."""
    for name, engine in (("serial", Serial()), ("batched", Batched())):
        engine.run(task, PBT(ready=10), PLAN, folder / name)
    return [(folder / name / "events.jsonl").read_bytes() for name in ("serial", "batched")]


@pytest.mark.parametrize("engine", [Batched(), Batched(together=4)], ids=repr)
def test_the_engine_keeps_the_contract(engine):
    """With a form that rounds like the members' own, the record is the serial engine's, also resumed."""
    check_engine(engine, task=Together())


def test_members_train_as_many_together_as_may(monkeypatch, tmp_path):
    """A whole round in one call, or as many as fit."""
    calls = []
    step_all = Together.step_all

    def counted(self, states, *arguments):
        calls.append(len(states))
        return step_all(self, states, *arguments)

    monkeypatch.setattr(Together, "step_all", counted)
    Batched(together=4).run(Together(), PBT(ready=10), PLAN, tmp_path)
    assert calls == [4, 2] * 6


def test_a_member_that_fails_fails_alone(tmp_path):
    """The program is done again member by member, which finds the one."""
    serial, batched = records(tmp_path, Together(fault=("raise", 0.01)))
    assert b'"failed"' in serial
    assert serial == batched


@pytest.mark.parametrize("mistake", ["count", "none"])
def test_a_form_that_breaks_the_contract_does_not_spoil_the_run(mistake, tmp_path, caplog):
    """Members are then trained one by one, and one line says why."""
    serial, batched = records(tmp_path, Wrong(mistake=mistake))
    assert serial == batched
    (said,) = (record.getMessage() for record in caplog.records)
    assert said.startswith(
        "members 0, 1, 2, 3, 4, 5 could not be trained as one program, but one by one: Wrong.step_all"
    )


def test_the_check_of_a_population_form_finds_what_is_wrong():
    """A form that is right passes."""
    check_population(Together())
    with pytest.raises(AssertionError, match="member 1: v of step_all is not that of step"):
        check_population(Wrong(mistake="values"))


class Shaped(Together):
    """What it saves of the population form is changed by ``change``."""

    def step_all(self, states, hyperparameters, steps, seeds):
        return [{**state, "all": True} for state in super().step_all(states, hyperparameters, steps, seeds)]

    def save(self, state):
        whole = super().save({name: value for name, value in state.items() if name != "all"})
        return Checkpoint(type(self).change(dict(whole.tensors)), whole.json) if "all" in state else whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: {**tensors, "w": np.zeros(1)}, r"has the tensors \['v', 'w'.*that of step has \['v'"),
        (lambda tensors: {}, r"has the tensors \[\]; that of step has \['v'"),
        (
            lambda tensors: {k: v.astype(np.float32) for k, v in tensors.items()},
            "has v as float32 of shape .*as float64",
        ),
        (
            lambda tensors: {k: v[None] for k, v in tensors.items()},
            r"has v as float64 of shape \(1, .*; that of step as",
        ),
    ],
    ids=["more", "none", "type", "shape"],
)
def test_tensors_have_the_same_names_types_and_shapes_in_both_forms(change, said, monkeypatch):
    """Values that are close are not enough."""
    monkeypatch.setattr(Shaped, "change", staticmethod(change), raising=False)
    with pytest.raises(AssertionError, match=f"member 0: the checkpoint of step_all {said}"):
        check_population(Shaped())


@dataclass(frozen=True)
class Telling(Together):
    """What it saves is a number in its JSON, which the population form leaves ``off`` by so much."""

    off: float = 0.0

    def step_all(self, states, hyperparameters, steps, seeds):
        after = super().step_all(states, hyperparameters, steps, seeds)
        for state in after:
            state["x"] = state["x"] + self.off
        return after

    def save(self, state):
        return Checkpoint({}, {"of": ["x", {"mean": float(state["x"].mean())}], "count": len(state["x"])})


def test_floats_beside_the_tensors_may_differ_by_rounding_too():
    """As far as tensors may."""
    check_population(Telling(off=1e-8))
    with pytest.raises(AssertionError, match="member 0: the checkpoint of step_all differs in its json"):
        check_population(Telling(off=1e-2))


def test_each_member_has_its_own_draws_and_hyperparameters():
    """In whatever order they come, the states are the same."""
    task = Together()
    settings = [task.space.sample(np.random.default_rng(m)) for m in range(3)]
    seeds = [Stream(1).child(m) for m in range(3)]
    states = [[task.init(Stream(2).child(m), settings[m]) for m in range(3)] for _ in range(2)]
    forward = task.step_all(states[0], settings, 5, seeds)
    backward = task.step_all(states[1][::-1], settings[::-1], 5, seeds[::-1])[::-1]
    assert all(np.array_equal(a["x"], b["x"]) for a, b in zip(forward, backward, strict=True))


def test_a_task_without_the_form_is_refused(tmp_path, capsys):
    """In the library and on the command line, before anything is written."""
    with pytest.raises(ValueError, match="Hill has no step_all"):
        Batched().run(Hill(), PBT(ready=10), PLAN, tmp_path / "run")
    assert main(["run", "toy", "pbt", "--engine", "batched", "--out", str(tmp_path / "toy")]) == 2
    assert "toy has no population form" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_settings_that_are_wrong_are_named():
    """Key, value and rule."""
    with pytest.raises(ValueError, match="Batched: together = 0 must be in "):
        Batched(together=0)
