"""A task that loads its data at first use is one task, before and after, in one process and the next."""

from functools import cached_property

import numpy as np
import pytest

from pbt_core import PBT, Plan, RecordError, Serial, retrace
from pbt_core.identity import described
from pbt_core.testing import Hill, check_task

METHOD, PLAN = PBT(ready=10), Plan(population=3, steps=20, interval=10)


class Plain:
    """A class as people write it, without dataclass."""

    space = Hill().space

    def __init__(self, size=3):
        self.size, self._data, self._parts = size, None, {}

    def data(self):
        if self._data is None:
            self._data = self._parts["ones"] = np.ones(self.size)
        return self._data

    def init(self, seed, hyperparameters):
        return {"x": seed.generator().normal(size=self.size) + 3 * self.data(), "v": np.zeros(self.size)}

    def step(self, state, hyperparameters, steps, seed):
        return Hill(self.size).step(state, hyperparameters, steps, seed)

    fault, evaluate, save, load = None, Hill.evaluate, Hill.save, Hill.load


class Cached(Plain):
    @cached_property
    def ones(self):
        return np.ones(self.size)

    def data(self):
        return self.ones


class Stated(Plain):
    def __getstate__(self):
        return {**vars(self), "_data": None, "_parts": {}}


@pytest.mark.parametrize("kind", [Plain, Cached, Stated])
def test_the_same_call_and_an_extension_go_on_with_a_task_that_has_loaded_its_data(kind, tmp_path):
    """With the object that has trained already, and with a fresh one, as another process has it."""
    task = kind()
    run = Serial().run(task, METHOD, PLAN, tmp_path)
    assert Serial().run(task, METHOD, PLAN, tmp_path).events == run.events
    assert run.extend(Serial(), task, METHOD, steps=30).finished
    assert run.extend(Serial(), kind(), METHOD, steps=40).finished


@pytest.mark.parametrize("kind", [Plain, Cached, Stated])
def test_a_task_that_was_changed_between_two_runs_is_another(kind, tmp_path):
    """By its user, where it was the run that loaded the data; also where nothing but the data is another."""
    task = kind()
    Serial().run(task, METHOD, PLAN, tmp_path)
    task.size = 4
    with pytest.raises(RecordError, match=r"task\.size was 3 and is 4"):
        Serial().run(task, METHOD, PLAN, tmp_path)
    task.size = 3
    assert Serial().run(task, METHOD, PLAN, tmp_path).finished
    if kind is Plain:
        task._data = np.zeros(3)
        with pytest.raises(RecordError, match=r"task\._data"):
            Serial().run(task, METHOD, PLAN, tmp_path)


def test_an_interrupted_run_goes_on_with_the_object_that_was_interrupted(tmp_path):
    """As after Ctrl-C in a notebook."""

    def stop(event):
        if event["event"] == "evaluated":
            raise KeyboardInterrupt

    task = Plain()
    with pytest.raises(KeyboardInterrupt):
        Serial().run(task, METHOD, PLAN, tmp_path, stop)
    assert Serial().run(task, METHOD, PLAN, tmp_path).finished


def test_a_task_that_was_checked_first_is_the_same_task(tmp_path):
    """The check loads the data, too."""
    task = Plain()
    check_task(task)
    Serial().run(task, METHOD, PLAN, tmp_path)
    assert Serial().run(Plain(), METHOD, PLAN, tmp_path).finished


def test_what_getstate_gives_is_what_an_object_is():
    """In any form that Python knows: attributes, attributes and slots, anything."""

    assert "_data" not in described(State({"a": 1}), "it")
    assert described(State({"a": 1}), "it")["a"] == 1
    assert described(State(({"a": 1}, {"b": 2})), "it")["its slots"] == {"b": 2}
    assert described(State([1, 2]), "it")["its content"] == [1, 2]


class State:
    def __init__(self, state):
        self._data = state

    def __getstate__(self):
        return self._data


@pytest.mark.parametrize("kind", [Plain, Cached, Stated])
def test_loading_a_state_makes_no_other_task_either(kind, tmp_path):
    """Where workers did the training it is the first thing that this object does; also while a run is under way."""
    Serial().run(kind(), METHOD, PLAN, tmp_path / "run")
    task = kind()
    run = Serial().run(task, METHOD, PLAN, tmp_path / "run")
    assert task.load(task.save(run.state(task)), run.hyperparameters)
    retrace(task, run.schedule(), PLAN.seed)
    assert run.extend(Serial(), task, METHOD, steps=30).finished

    task = kind()

    def look(event):
        if event["event"] == "evaluated":
            retrace(task, run.schedule(), PLAN.seed)

    again = Serial().run(task, METHOD, PLAN, tmp_path / "again", look)
    assert again.extend(Serial(), task, METHOD, steps=30).finished
