import dataclasses
import enum
import functools
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from pbt_core import PBT, Choice, LogUniform, Perturb, Plan, RecordError, Serial, Space, Truncation
from pbt_core.identity import described, differences
from pbt_core.testing import Hill

PLAN = Plan(population=3, steps=20, interval=10)


@dataclass(frozen=True)
class Model(Hill):
    layers: tuple[int, ...] = (2,)
    note: str = field(default="", compare=False)


class Plainly:
    """No dataclass, but its attributes say what it is."""

    def __init__(self, size, secret=None):
        self.size, self._secret = size, secret


class Answering:
    """Holds what cannot be described, and says itself what it is."""

    def __init__(self, name):
        self.name, self.lock = name, threading.Lock()

    def identity(self):
        return {"name": self.name}


class Colour(enum.Enum):
    RED = 1


def doubled(hyperparameters, space, rng):
    return {name: dimension.clip(2 * hyperparameters[name]) for name, dimension in space.items()}


def halved(hyperparameters, space, rng):
    return {name: dimension.clip(0.5 * hyperparameters[name]) for name, dimension in space.items()}


def lowered(hyperparameters, space, rng, by):
    return {name: dimension.clip(by * hyperparameters[name]) for name, dimension in space.items()}


@pytest.mark.parametrize(
    "value",
    [
        None, True, 3, 2.5, "text", float("inf"), float("nan"), np.float32(1.5), np.int64(3), Colour.RED, Path("a/b"),
        (1, (2, 3)), {"a": [1]}, {1: 2}, {1, 2}, np.arange(6).reshape(2, 3), Perturb((2.0, 0.5)), Truncation, doubled, len,
        functools.partial(lowered, by=0.5), Plainly(3), Answering("x"), Space({"lr": LogUniform(1e-3, 1.0)}),
        Plainly(3).__class__.__init__, "".join,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_can_be_described_is_json_and_equals_itself_alone(value):
    """Twice the same, through JSON too; no two of these are alike."""
    description = described(value, "it")
    assert differences(json.loads(json.dumps(description)), described(value, "it")) == []
    assert differences(description, described(("another", value), "it"))


@pytest.mark.parametrize(
    "value",
    [
        object(), threading.Lock(), lambda: 1, Plainly(3, threading.Lock()), np.array([object()]), b"bytes", iter([]),
        functools.partial(lambda: 1), {"deep": [lambda: 1]}, 1j, range(3).__iter__(), Path.open,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_cannot_be_described_is_refused_in_one_line_with_its_place(value):
    """Never by a repr, which may hold an address or leave out what matters."""
    if value is Path.open:
        assert described(value, "it") == {"function": "pathlib.Path.open"}
        return
    with pytest.raises(ValueError, match=r"^it[^\n]* cannot be described[^\n]*$"):
        described(value, "it")


def local():
    def inner(hyperparameters, space, rng):
        return dict(hyperparameters)

    return inner


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: (Model(size=64), PBT(ready=10), PLAN), r"task\.size was 3 and is 64"),
        (lambda: (Model(layers=(2, 2)), PBT(ready=10), PLAN), r"task\.layers\[1\] was not there and is 2"),
        (lambda: (Hill(), PBT(ready=10), PLAN), r"task\.type was '.*Model' and is 'pbt_core.testing.Hill'"),
        (lambda: (Model(), PBT(ready=20), PLAN), r"method\.ready was 10 and is 20"),
        (lambda: (Model(), PBT(ready=10, explore=doubled), PLAN), r"method\.explore\.function was not there and is"),
        (lambda: (Model(), PBT(ready=10, exploit=Truncation(0.3)), PLAN), r"method\.exploit\.fraction was 0\.2 and is 0\.3"),
        (lambda: (Model(), PBT(ready=10), dataclasses.replace(PLAN, seed=1)), r"plan\.seed was 0 and is 1"),
        (lambda: (Model(), PBT(ready=10), dataclasses.replace(PLAN, synchronous=False)), r"plan\.synchronous was True"),
        (
            lambda: (Model(space=Space({"lr": LogUniform(1e-4, 2.0), "decay": LogUniform(1e-3, 0.5)})), PBT(ready=10), PLAN),
            r"space\.lr\.high was 1\.0 and is 2\.0",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("state", ["finished", "half done"])
def test_another_run_in_the_same_folder_is_refused_with_what_differs(change, message, state, tmp_path):
    """Neither trained on, nor returned as the answer to another question; the record is left alone."""

    def stop(event):
        if event["event"] == "evaluated" and state == "half done":
            raise KeyboardInterrupt

    try:
        Serial().run(Model(), PBT(ready=10), PLAN, tmp_path, stop)
    except KeyboardInterrupt:
        assert state == "half done"
    before = (tmp_path / "events.jsonl").read_bytes()
    with pytest.raises(RecordError, match=message) as error:
        Serial().run(*change(), tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / "events.jsonl").read_bytes() == before


@dataclass(frozen=True)
class Shaped(Hill):
    dimensions: tuple[int, ...] = (4, 2)
    input_dimensions: tuple[tuple[str, int], ...] = (("height", 3), ("width", 3))


def test_a_setting_that_is_called_dimensions_is_a_setting_like_any_other(tmp_path):
    """A run of such a task resumes, and a difference in it is named by its place; only a space's own have names."""
    Serial().run(Shaped(), PBT(ready=10), PLAN, tmp_path)
    assert Serial().run(Shaped(), PBT(ready=10), PLAN, tmp_path).finished
    with pytest.raises(RecordError, match=r"task\.dimensions\[0\] was 4 and is 5\. "):
        Serial().run(Shaped(dimensions=(5, 2)), PBT(ready=10), PLAN, tmp_path)
    wider = Shaped(input_dimensions=(("height", 3), ("breadth", 3)))
    with pytest.raises(RecordError, match=r"task\.input_dimensions\[1\]\[0\] was 'width' and is 'breadth'\. "):
        Serial().run(wider, PBT(ready=10), PLAN, tmp_path)


def test_a_hyperparameter_may_be_called_as_a_part_of_a_space_is():
    """Its own changes and those of the constraint are told apart; another order is another space."""
    one, other = (
        Space({"where": LogUniform(1e-3, high), "dimensions": Choice((1, 2))}, where=any_) for high in (1.0, 2.0)
    )
    assert differences(described(one, "space"), described(other, "space"), "space") == [
        "space.where.high was 1.0 and is 2.0"
    ]
    without = Space(dict(one))
    assert differences(described(one, "space"), described(without, "space"), "space") == [
        f"space.where.function was '{__name__}.any_' and is not there"
    ]
    turned = Space(dict(reversed(one.items())), where=any_)
    assert differences(described(one, "space"), described(turned, "space"), "space") == [
        "space: the names was ['where', 'dimensions'] and is ['dimensions', 'where']"
    ]


def any_(hyperparameters):
    return True


def test_another_function_to_explore_with_is_another_run(tmp_path):
    """By its name; what has none of its own, such as a lambda or a closure, is refused before anything is written."""
    Serial().run(Hill(), PBT(ready=10, explore=doubled), PLAN, tmp_path / "run")
    with pytest.raises(RecordError, match=r"method\.explore\.function was '.*\.doubled' and is '.*\.halved'"):
        Serial().run(Hill(), PBT(ready=10, explore=halved), PLAN, tmp_path / "run")
    for nameless in (lambda h, space, rng: dict(h), local()):
        with pytest.raises(ValueError, match=r"^method\.explore: the function .* cannot be described"):
            Serial().run(Hill(), PBT(ready=10, explore=nameless), PLAN, tmp_path / "other")
    assert not (tmp_path / "other" / "events.jsonl").exists()


def test_what_is_no_setting_does_not_make_another_run(tmp_path):
    """Fields with compare=False, and how a plan is carried out."""
    events = Serial().run(Model(note="a"), PBT(ready=10), PLAN, tmp_path).events
    again = Serial().run(Model(note="b"), PBT(ready=10), dataclasses.replace(PLAN, durable=True), tmp_path).events
    assert again == events
