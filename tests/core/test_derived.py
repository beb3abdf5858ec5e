"""Objects whose classes are derived from numbers, texts and containers, as parts of what is run."""

import json
import sys
from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch

from pbt_core import PBT, Plan, RecordError, Serial
from pbt_core.identity import described, differences
from pbt_core.testing import Hill

PLAN = Plan(population=3, steps=20, interval=10)


class Named(NamedTuple):
    """A task that is a tuple, too."""

    hidden: int = 3
    space = Hill().space
    size, fault = 3, None
    init, step, evaluate, save, load = Hill.init, Hill.step, Hill.evaluate, Hill.save, Hill.load


class Up(NamedTuple):
    by: float = 1.5

    def __call__(self, hyperparameters, space, rng):
        return {name: space[name].perturb(value, self.by, rng) for name, value in hyperparameters.items()}


class Down(Up):
    pass


class Options(dict):
    """As people write it, to have a name for a dictionary."""


class Listed(list):
    pass


class Version(str):
    __slots__ = ()

    def __str__(self):
        return "another text"


def test_an_object_of_a_class_derived_from_a_container_is_no_container(tmp_path):
    """Its record can be read, and another class of the same content is another explorer."""
    run = Serial().run(Named(), PBT(ready=10), PLAN, tmp_path / "named")
    assert run.score is not None
    assert run.extend(Serial(), Named(), PBT(ready=10), steps=30).finished
    Serial().run(Hill(), PBT(ready=10, explore=Up()), PLAN, tmp_path / "up")
    with pytest.raises(RecordError, match=r"method\.explore\.type was .*\.Up' and is .*\.Down'"):
        Serial().run(Hill(), PBT(ready=10, explore=Down()), PLAN, tmp_path / "up")


@pytest.mark.parametrize(
    ("value", "content"),
    [
        (Up(2.0), [2.0]),
        (Options(a=1), {"a": 1}),
        (Listed([1, 2]), [1, 2]),
        (Version("1.5"), "1.5"),
        (torch.Size((2, 3)), [2, 3]),
    ],
)
def test_what_is_derived_is_described_by_its_class_and_as_its_base(value, content):
    """A record from before classes were named says only what it is as its base, and still fits."""
    description = described(value, "it")
    assert description["as its base"] == content
    assert json.loads(json.dumps(description)) == description
    assert not differences(description, described(value, "it"), "it")
    assert not differences(content, description, "it")
    assert differences({"not": "it"}, description, "it")


def test_a_text_of_a_derived_class_among_settings_is_the_same_when_it_is_read_back(tmp_path):
    """torch's version is one."""

    @dataclass(frozen=True)
    class Versioned(Hill):
        version: str = torch.__version__

    sys.modules[__name__].Versioned = Versioned
    Versioned.__qualname__ = "Versioned"
    run = Serial().run(Versioned(), PBT(ready=10), PLAN, tmp_path)
    assert Serial().run(Versioned(), PBT(ready=10), PLAN, tmp_path).events == run.events
