"""Every public dataclass refuses what is none of its fields', in one line, where it is made or where it is first taken."""

import dataclasses
import itertools
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch

import baselines
import pbt_core
from baselines import (
    PB2,
    Annealed,
    Bayesian,
    FirePBT,
    Fixed,
    Genetic,
    Halving,
    MultiFrequency,
    Noam,
    Piecewise,
    RandomSchedules,
    RandomSearch,
    Scheduled,
)
from pbt_core import (
    PBT,
    Batched,
    BinaryTournament,
    Checkpoint,
    Choice,
    Clone,
    Cluster,
    Compose,
    Continue,
    Curve,
    Evaluation,
    Integer,
    IntervalTimes,
    Leased,
    LogUniform,
    Member,
    Noise,
    Nudge,
    OneMinus,
    Perturb,
    Plan,
    Preemption,
    Processes,
    RandomPreemptions,
    Ray,
    RecordedCurves,
    Resample,
    Restart,
    Score,
    Segment,
    Serial,
    Simulated,
    Stop,
    Stream,
    Truncation,
    Uniform,
    Until,
    WelchTTest,
    Worker,
    retrace,
)
from pbt_core.calls import ContractError, plain_score
from pbt_core.decisions import Decider, empty_ledger
from pbt_core.seeds import Streams
from pbt_core.store import prepared
from pbt_core.testing import Hill

SETTING = {"lr": 0.1, "decay": 0.1}
INITIAL = ({"lr": 0.1},)
SPACE = Hill().space
CURVE = Curve(SETTING, (5, 10), (0.1, 0.2), (0.1, 0.2))
NOTHING = lambda *arguments: None  # noqa: E731 - a value among others

#: Of each class, fields with a value that is not its default's kind where that is None, so that all kinds are seen.
EXAMPLES = {
    PBT: {"ready": 5, "exploit": Truncation(), "explore": Perturb(), "initial": INITIAL, "until": 9},
    Batched: {"devices": ("cuda:0",)},
    BinaryTournament: {},
    Choice: {"values": (1, 2, 3)},
    Cluster: {"preemptions": (Preemption(0, 1.0),)},
    Compose: {"explorers": (Perturb(),)},
    Curve: {"hyperparameters": SETTING, "steps": (5, 10), "scores": (0.1, 0.2), "held_out": (0.1, 0.2)},
    Integer: {"low": 1, "high": 10},
    IntervalTimes: {},
    Leased: {"timeout": 5.0, "devices": ("cuda:0",)},
    LogUniform: {"low": 0.1, "high": 10.0},
    Noise: {"scale": 0.1},
    Nudge: {},
    OneMinus: {"low": 0.1, "high": 0.9},
    Perturb: {},
    Plan: {"population": 2, "steps": 10, "interval": 5, "stop": Until(seconds=1.0)},
    Preemption: {"worker": 0, "at": 1.0, "away": 2.0},
    Processes: {"workers": 2, "timeout": 5.0, "devices": ("cuda:0",)},
    RandomPreemptions: {"every": 10.0, "away": 1.0},
    Ray: {"workers": 2, "resources": {"tpu": 1.0}, "address": "localhost:6379", "timeout": 5.0},
    RecordedCurves: {"space": SPACE, "curves": (CURVE,)},
    Resample: {},
    Serial: {"devices": ("cuda:0",)},
    Simulated: {"staleness": 2, "devices": ("cuda:0",)},
    Stream: {"seed": 1, "names": ("a",)},
    Truncation: {},
    Uniform: {"low": 0.1, "high": 10.0},
    Until: {"seconds": 1.0, "score": 1.0},
    WelchTTest: {},
    PB2: {"pbt": PBT(ready=5)},
    Annealed: {"values": SETTING, "hold": 0, "end": 10, "only": ("lr",)},
    Bayesian: {"sampler": "tpe", "training_steps": 10, "initial": INITIAL},
    FirePBT: {"ready": 5, "max_eval_steps": 10, "initial": INITIAL},
    Fixed: {"values": SETTING},
    Genetic: {"training_steps": 10, "initial": INITIAL},
    Halving: {"pruner": "asha", "training_steps": 10, "first_rung": 1, "initial": INITIAL},
    MultiFrequency: {"ready": 5, "initial": INITIAL},
    Noam: {"values": {}, "peak": 0.1, "warmup": 5, "lead": 1},
    Piecewise: {"points": ((0, SETTING),)},
    RandomSchedules: {"steps": 10, "annealed": ("lr",), "initial": INITIAL},
    RandomSearch: {"initial": INITIAL},
    Scheduled: {"schedules": (Fixed(SETTING),)},
    # Taken by the library in every interval, and checked there:
    Checkpoint: {"tensors": {"x": np.zeros(2)}, "json": {"a": 1}},
    Clone: {"parent": 1, "hyperparameters": SETTING, "weights": True},
    Continue: {"hyperparameters": SETTING},
    Restart: {"hyperparameters": SETTING},
    Score: {"value": 1.0, "samples": (1.0,), "held_out": 1.0, "metrics": {"a": 1.0}},
    Segment: {"start": 0, "stop": 5, "member": 0, "member_step": 0, "hyperparameters": SETTING},
    Stop: {},
}
#: What only the library makes: nobody gives them to it.
GIVEN_OUT = {Evaluation, Member, Worker}
#: Numbers that need not be finite, by class and field.
NOT_FINITE = {(Preemption, "away"), (Curve, "scores"), (Curve, "held_out"), (Score, "value"), (Score, "held_out")}


#: Choices and names of any kinds; seeds of 256 bits, such as the entropy of another stream.
ANY_KIND = {(Choice, "values"), (Stream, "seed"), (Stream, "names")}


def decided(decision):
    """What a run makes of a decision of its method."""
    ledger = empty_ledger(synchronous=True)
    for member in (0, 1):
        ledger.apply({"event": "joined", "member": member, "step": 0, "hyperparameters": SETTING})
    scored = {"score": 1.0, "samples": [], "held_out": None, "metrics": {}, "checkpoint": "0" * 32}
    for member in (0, 1):
        ledger.apply({"event": "evaluated", "member": member, "step": 5, "hyperparameters": SETTING, **scored})
    return Decider(PBT(ready=5), SPACE, Streams(0), True).event(ledger, ledger.slots[0], decision)


TAKEN = {
    Checkpoint: lambda value: prepared(value, "Checkpoint"),
    Clone: decided,
    Continue: decided,
    Restart: decided,
    Score: lambda value: plain_score(value, "Hill.evaluate"),
    Segment: lambda value: retrace(Hill(), [value], 0),
    Stop: decided,
    Stream: lambda value: value.generator(),
}


class Raises:
    """Answers nothing that it is asked."""

    def __getattr__(self, name):
        raise LookupError(name)

    def __repr__(self):
        raise LookupError("repr")

    def __iter__(self):
        raise LookupError("iter")


def itself():
    """A list that is in itself."""
    made = []
    made.append(made)
    return made


def wrong_values():
    """Values that some field or other cannot have, by a name; made anew, since some are used up."""
    return {
        **{repr(value): value for value in ("x", "", "\ud800", b"x", None, True, -1, 0, 1.5, 1j, -0.0, 1e308, 5e-324)},
        **{repr(value): value for value in (math.nan, math.inf, -math.inf, (), [], (1,), {}, {"a": 1}, {1: 2}, {1})},
        **{"10**400": 10**400, "10**5000": 10**5000, "-10**5000": -(10**5000), "2**63": 2**63, "(10**5000,)": (10**5000,)},
        **{"array": np.array([1.0, 2.0]), "empty array": np.array([]), "0-d array": np.array(2), "objects": np.array([{}])},
        **{"np.nan": np.float64("nan"), "np.str_": np.str_("x"), "np.bool_": np.bool_(True), "date": np.datetime64(1, "s")},
        **{"tensor": torch.tensor([1.0, 2.0]), "0-d tensor": torch.tensor(2.0), "texts": ("x", "x"), "long": "x" * 1000},
        **{"class": int, "own class": Perturb, "function": NOTHING, "object": object(), "raises": Raises(), "itself": itself()},
        **{"endless": itertools.count(), "nested": {"a": {"b": math.nan}}, "space": SPACE, "pbt": PBT(ready=1)},
    }  # fmt: skip


def conforms(kept, example, finite=True):
    """Whether a value that was taken is of the kind of an example."""
    match example:
        case bool() | str():
            return type(kept) is type(example)
        case int():
            return type(kept) is int and -(2**63) <= kept < 2**63
        case float():
            return type(kept) in (int, float) and (not finite or math.isfinite(kept))
        case tuple():
            return type(kept) is tuple and all(conforms(item, example[0], finite) for item in kept)
        case Mapping():
            return isinstance(kept, Mapping) and all(isinstance(name, str) for name in kept)
    return isinstance(kept, type(example)) or (callable(example) and callable(kept) and not isinstance(kept, type))


def public_dataclasses():
    named = [getattr(module, name) for module in (pbt_core, baselines) for name in module.__all__]
    return [kind for kind in named if isinstance(kind, type) and dataclasses.is_dataclass(kind)]


def may_be_none(kind, name):
    return "None" in next(field.type for field in dataclasses.fields(kind) if field.name == name)


@pytest.mark.parametrize("kind", public_dataclasses(), ids=lambda kind: kind.__name__)
def test_a_field_takes_its_kind_of_value_or_refuses_in_one_line(kind):
    """A line that names class and field and shows the value, shortened; no other exception, and no silence."""
    if kind in GIVEN_OUT:
        return
    take = TAKEN.get(kind, lambda value: value)
    good = kind(**EXAMPLES[kind])
    take(good)
    for name in (field.name for field in dataclasses.fields(kind) if field.init):
        example = getattr(good, name)
        assert example is not None, f"{kind.__name__}.{name} needs an example"
        example = {"preemptions": (Preemption(0, 1.0),)}.get(name, example)
        for label, value in wrong_values().items():
            where = f"{kind.__name__}.{name} = {label}"
            try:
                made = kind(**{**EXAMPLES[kind], name: value})
                take(made)
            except (ValueError, TypeError, ContractError) as error:
                line = str(error)
                assert "\n" not in line, where
                assert len(line) <= 420, f"{where}: {line}"
                assert name.rstrip("s") in line, f"{where}: {line}"
                assert kind in TAKEN or line.startswith(f"{kind.__name__}: "), f"{where}: {line}"
                continue
            kept = getattr(made, name)
            if (kind, name) in ANY_KIND:
                assert type(kept) is type(example), where
            elif kind not in TAKEN:
                none = kept is None and may_be_none(kind, name)
                finite = (kind, name) not in NOT_FINITE
                assert none or conforms(kept, example, finite), f"{where} was taken as {kept!r}"


def test_every_public_dataclass_has_an_example():
    """So that none escapes the test above; what the library gives out is named."""
    assert set(public_dataclasses()) == set(EXAMPLES) | GIVEN_OUT


@dataclasses.dataclass(frozen=True)
class Derived(Truncation):
    """A user's declaration: one annotation is for a type checker alone, another is none that could be checked."""

    hidden: "OnlyForATypeChecker" = None  # noqa: F821
    words: list[str] = dataclasses.field(default_factory=list)


def test_a_users_class_may_be_derived_from_a_declaration():
    """What it inherits is checked, under its own name; what it adds is its own."""
    assert Derived(np.float64(0.25), hidden=3, words=["a"]) == Derived(0.25, 3, ["a"])
    with pytest.raises(ValueError, match=r"^Derived: fraction = 0.7 must be in \(0, 0.5\]$"):
        Derived(0.7)
