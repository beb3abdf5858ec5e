import dataclasses
import datetime
import enum
import functools
import json
import re
import subprocess
import sys
import threading
from collections import OrderedDict, UserDict
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pydantic
import pytest
import torch
from torch.utils.data import TensorDataset

from pbt_core import PBT, Choice, LogUniform, Perturb, Plan, RecordError, Run, Serial, Space, Truncation
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


class Base:
    __slots__ = ("__private", "first")

    def __init__(self, first):
        self.first, self.__private = first, -first


class Slotted(Base):
    """Keeps attributes too, beside the slots of its base."""

    def __init__(self, first, second=0):
        super().__init__(first)
        self.second = second


class Error(Exception):
    """Holds its arguments where no attribute shows them."""


class Extra(pydantic.BaseModel, extra="allow"):
    size: int = 1
    _seed: int = pydantic.PrivateAttr(0)


@functools.cache
def cached(size):
    return np.zeros(size)


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
        Plainly(3).__class__.__init__, "".join, b"bytes", 1j, range(3), datetime.date(2020, 1, 2), re.compile("a" * 300),
        Decimal("0.1"), Fraction(1, 3), np.dtype("f4"), torch.float32, torch.device("cpu"), torch.arange(6), Slotted(1),
        np.ma.array([1, 2], mask=[0, 1]), cached, OrderedDict(a=1), UserDict(a=1),
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
        object(), threading.Lock(), lambda: 1, Plainly(3, threading.Lock()), np.array([object()]), iter([]),
        functools.partial(lambda: 1), {"deep": [lambda: 1]}, range(3).__iter__(), Path.open, Error("e"),
        torch.Generator(), torch.eye(2).to_sparse(), torch.zeros(2, device="meta"), np.random.default_rng(0),
        functools.lru_cache(len), type("Plainly", (), {}), memoryview(b""), np.zeros(2, [("a", object)]),
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


def linear(weight, trained=True):
    module = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(module.weight, weight)
    torch.nn.init.zeros_(module.bias)
    return module.requires_grad_(trained)


def seeded(seed):
    model = Extra()
    model._seed = seed
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda x: torch.full((3,), x),
        lambda x: torch.full((3,), x, dtype=torch.bfloat16),
        lambda x: torch.tensor([1.0, 2.0]).to(torch.float16 if x else torch.bfloat16),
        lambda x: torch.nn.Parameter(torch.full((3,), float(x))),
        lambda x: [torch.full((3,), x)],
        lambda x: linear(float(x)),
        lambda x: linear(1.0, trained=bool(x)),
        lambda x: TensorDataset(torch.full((3,), x)),
        lambda x: np.ma.array([1, 2], mask=[0, x]),
        lambda x: Slotted(x),
        lambda x: Extra(more=x),
        lambda x: seeded(x),
        lambda x: re.compile("a" * 300 + str(x)),
        lambda x: np.array(["2020-01-01", f"2020-01-0{x + 1}"], "datetime64[D]"),
    ],
    ids=[
        "tensor", "bfloat16", "dtype", "parameter", "tensors in a list", "module", "frozen module", "data set", "mask", "slots",
        "extra", "private", "pattern", "dates",
    ],
)  # fmt: skip
def test_what_is_held_beside_attributes_is_told_apart(make):
    """Another content is another run: tensors, masks, slots, pydantic's extra and private fields."""
    assert differences(described(make(0), "it"), described(make(0), "it"), "it") == []
    assert differences(described(make(0), "it"), described(make(1), "it"), "it")


def test_torch_is_not_imported_to_describe():
    """A run without torch does not wait for it."""
    program = "import sys; from pbt_core.identity import described; described({'a': [1]}, 'it'); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


class Constants(Hill):
    """Settings where classes have them."""

    target = 1.0
    layers = [8, 8]  # noqa: RUF012 - as people write it
    kind = Perturb()
    _cache: dict[str, int] = {}  # noqa: RUF012
    logger = threading.Lock()

    @property
    def width(self):
        return 1


class Narrower(Constants):
    target = 2.0
    width = 3


@pytest.mark.parametrize("of", [lambda kind: kind(), lambda kind: kind], ids=["object", "class"])
def test_the_data_of_a_class_are_settings_too(of, monkeypatch):
    """Those of its bases included; what is private, or stands in for code, is code."""
    before = described(of(Narrower), "task")
    assert before["class attributes"].keys() >= {"target", "layers", "kind"}
    assert not before["class attributes"].keys() & {"_cache", "logger", "width", "doubled"}
    monkeypatch.setattr(Narrower, "target", 100.0)
    monkeypatch.setattr(Constants, "layers", [8, 9])
    monkeypatch.setattr(Constants, "_cache", {"a": 1})
    assert differences(before, described(of(Narrower), "task"), "task") == [
        "task.class attributes.target was 2.0 and is 100.0",
        "task.class attributes.layers[1] was 8 and is 9",
    ]


def test_installed_classes_come_with_their_versions_and_fields_are_no_attributes_of_the_class():
    """A field's default is in the object; what torch's modules have is torch's."""
    assert "class attributes" not in described(Model(), "task")
    assert "class attributes" not in described(linear(1.0), "task")
    assert "class attributes" not in described(Extra(), "task")


def test_older_records_say_less_and_are_resumed_all_the_same():
    """Descriptions from before tensors, slots, masks, programs and the data of classes were told."""
    for now, before in (
        (torch.zeros(3), {"type": "torch.Tensor"}),
        (Slotted(1, 2), {"type": f"{__name__}.Slotted", "second": 2}),
        (np.ma.array([1]), described(np.array([1]), "it")),
        (Narrower, {"class": f"{__name__}.Narrower"}),
        ([Narrower, Slotted(1, 2)], [{"class": "__main__.Narrower"}, {"type": "__main__.Slotted", "second": 2}]),
    ):
        assert differences(before, described(now, "it")) == []
        assert differences(described(now, "it"), before) != []
    assert differences([{"type": "__main__.Slotted", "second": 2}], described([Slotted(1, 3)], "it"), "it") == [
        "it[0].second was 2 and is 3"
    ]
    assert differences({"class": "__main__.Wider"}, described(Narrower, "it"), "it") != []


SCRIPT = """
import sys
from pathlib import Path
from pbt_core import PBT, Plan, Run, Score, Serial
from pbt_core.testing import Hill

class My(Hill):
    def evaluate(self, state, seed):
        return Score({score})

if __name__ == "__main__":
    print(Serial().run(My(), PBT(ready=10), Plan(population=2, steps=20, interval=10), Path(sys.argv[1])).score)
"""


def test_a_script_is_known_by_its_file(tmp_path, monkeypatch):
    """What it trained goes on when it is imported, and another script's class of the same name is another."""
    (tmp_path / "train_script.py").write_text(SCRIPT.format(score=1.0))
    (tmp_path / "other_script.py").write_text(SCRIPT.format(score=42.0))
    first, second = (
        subprocess.run(
            [sys.executable, tmp_path / script, tmp_path / "run"], capture_output=True, text=True, check=False
        )
        for script in ("train_script.py", "other_script.py")
    )
    assert (first.returncode, first.stdout) == (0, "1.0\n"), first.stderr
    assert "task.type was 'train_script.My' and is 'other_script.My'" in second.stderr
    monkeypatch.syspath_prepend(tmp_path)
    import train_script  # type: ignore[import-not-found]

    extended = Run.open(tmp_path / "run").extend(Serial(), train_script.My(), PBT(ready=10), steps=30)
    assert [event["step"] for event in extended.events if event["event"] == "evaluated"][-1] == 30


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


def made(by, written=()):
    seen = list(written)

    class Local(Hill):
        def evaluate(self, state, seed):
            seen.append(by)
            return by

    return Local


def test_classes_that_one_function_made_are_told_apart():
    """They have one name. A class that is not found under its name is refused where it is a setting, as functions are."""
    assert differences(described(made(1)(), "task"), described(made(2)(), "task"), "task") == [
        "task.closure.by was 1 and is 2"
    ]
    assert described(made(1)(), "task") == described(made(1, written=[1])(), "task")
    with pytest.raises(ValueError, match=r"^task: the class made\.<locals>\.Local cannot be described"):
        described(made(1), "task")


def test_what_is_no_setting_does_not_make_another_run(tmp_path):
    """Fields with compare=False, and how a plan is carried out."""
    events = Serial().run(Model(note="a"), PBT(ready=10), PLAN, tmp_path).events
    again = Serial().run(Model(note="b"), PBT(ready=10), dataclasses.replace(PLAN, durable=True), tmp_path).events
    assert again == events
