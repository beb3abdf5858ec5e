"""The ready-made task for torch: what it hands to whom, what it refuses, and that it keeps the contract of a task."""

import dataclasses
import functools
from collections import OrderedDict, UserDict
from types import MappingProxyType
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from pbt_core import PBT, Choice, LogUniform, OneMinus, Plan, Processes, Score, Serial, Space, Stream, Uniform
from pbt_core.testing import check_task
from pbt_core.torch_task import TorchTask, _moved

SPACE = Space(
    {"lr": LogUniform(1e-3, 1e-1), "beta1": OneMinus(0.5, 0.99), "size": Choice((2, 4)), "p": Uniform(0.1, 0.9)}
)
GIVEN = []


def network():
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 1))


def batches(steps, seed, size):
    generator = seed.generator()
    while True:  # more than asked for is left alone
        yield {"x": torch.from_numpy(generator.normal(size=(size, 3))).float(), "of": steps}


def loss(model, batch, *, p, scale=1.0):
    GIVEN.append((len(batch["x"]), batch["of"], p, scale))
    model[1].p = p
    return scale * (model(batch["x"]).squeeze(1) - batch["x"].sum(1)).square().mean()


def score(model):
    assert not model.training
    x = torch.arange(12.0).reshape(4, 3)
    return -(model(x).squeeze(1) - x.sum(1)).square().mean().item()


def task(**changed):
    return TorchTask(**{**PARTS, **changed})


PARTS = {
    "space": SPACE,
    "module": network,
    "optimizer": torch.optim.AdamW,
    "batches": batches,
    "loss": loss,
    "score": score,
}


def test_a_task_of_module_optimiser_batches_loss_and_score_keeps_the_contract_of_tasks():
    """Among it: a loaded optimiser state does not overrule new hyperparameters, and dropout repeats."""
    check_task(task())
    check_task(task(space=Space({"lr": LogUniform(1e-3, 1e-1)}), loss=plain_loss, batches=plain_batches))


def plain_loss(model, batch):
    return (model(batch).squeeze(1) - batch.sum(1)).square().mean()


def plain_batches(steps, seed):
    return [torch.from_numpy(seed.child(i).generator().normal(size=(4, 3))).float() for i in range(steps)]


def radius(model, batch, p, eps):
    return loss(model, batch, p=p) + eps


def few(steps, seed):
    return plain_batches(steps - 1, seed)


def test_settings_of_the_optimiser_are_written_into_its_groups_and_others_handed_to_the_functions():
    """By name: beta1 is the first of AdamW's betas, size and p are parameters of batches and loss."""
    GIVEN.clear()
    hyperparameters = {"lr": 0.02, "beta1": 0.6, "size": 4, "p": 0.3}
    stream = Stream(0)
    state = task().step(task().init(stream, hyperparameters), hyperparameters, 5, stream)
    (group,) = state.optimizer.param_groups
    assert (group["lr"], group["betas"]) == (0.02, (0.6, 0.999))
    assert GIVEN == [(4, 5, 0.3, 1.0)] * 5


def test_hyperparameters_rule_over_a_loaded_optimiser_state():
    """As after a copy: the parent's moments come along, its learning rate does not."""
    first = {"lr": 0.1, "beta1": 0.9, "size": 2, "p": 0.1}
    stream = Stream(0)
    parent = task().save(task().step(task().init(stream, first), first, 3, stream))
    child = task().load(parent, first | {"lr": 0.001})
    assert child.optimizer.state_dict()["state"][0]["step"] == 3
    child = task().step(child, first | {"lr": 0.001}, 1, stream)
    assert child.optimizer.param_groups[0]["lr"] == 0.001


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": Space({"lr": LogUniform(0.1, 1), "size": Choice((1, 2))})}, "loss asks for 'p'"),
        ({"loss": plain_loss}, "'p' is neither a setting of the optimiser (amsgrad, beta1, beta2, betas,"),
        ({"optimizer": torch.optim.SGD}, "'beta1' is neither a setting of the optimiser"),
        ({"batches": score}, "batches must take 2 arguments or more, and takes 1"),
        (
            {"space": Space({**SPACE, "eps": Uniform(0.1, 0.5)}), "loss": radius},
            "'eps' is a setting of the optimiser and a parameter of loss, and would be given to both",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_when_the_task_is_made(changed, message):
    """Not in the first interval of a worker."""
    with pytest.raises(ValueError, match="TorchTask: ") as caught:
        task(**changed)
    assert message in str(caught.value)


def test_too_few_batches_are_an_error_that_says_how_many():
    """Steps that were not trained would be charged all the same."""
    fewer = task(space=Space({"lr": LogUniform(1e-3, 1e-1)}), loss=plain_loss, batches=few)
    state = fewer.init(Stream(0), {"lr": 0.1})
    with pytest.raises(ValueError, match="batches gave 3 of the 4 that an interval takes"):
        fewer.step(state, {"lr": 0.1}, 4, Stream(0))


def test_a_task_goes_to_worker_processes_and_is_known_by_the_names_of_its_functions(tmp_path):
    """The record of two workers is the serial engine's, and another loss is another run."""
    tasked = task(optimizer=functools.partial(torch.optim.AdamW, weight_decay=0.1))
    plan = Plan(population=3, steps=6, interval=2)
    serial = Serial().run(tasked, PBT(ready=2), plan, tmp_path / "serial")
    processes = Processes(workers=2).run(tasked, PBT(ready=2), plan, tmp_path / "processes")
    assert serial.events == processes.events
    described = serial.identity["task"]
    assert described["loss"] == {"function": f"{__name__}.loss"}
    assert described["optimizer"]["keywords"] == {"weight_decay": 0.1}


def test_a_score_of_ones_own_is_kept_and_tensors_are_moved_wherever_they_are_in_a_batch():
    """The device of a batch is the module's: here torch's device without memory shows that they were moved."""

    def scored(model):
        return Score(1.0, held_out=2.0)

    assert task(score=scored).evaluate(task().init(Stream(0), {}), Stream(0)).held_out == 2.0
    moved = _moved({"a": [torch.zeros(1), (torch.zeros(2), "text")], "b": 3}, "meta")
    assert (moved["a"][0].device.type, moved["a"][1][0].device.type) == ("meta", "meta")
    assert (moved["a"][1][1], moved["b"]) == ("text", 3)


@dataclasses.dataclass(frozen=True)
class Pictures:
    x: torch.Tensor
    name: str = "a"


class Pair(NamedTuple):
    x: torch.Tensor
    y: torch.Tensor


@pytest.mark.parametrize(
    ("batch", "tensor"),
    [
        (UserDict(a=torch.zeros(1), b="text"), lambda batch: batch["a"]),
        (OrderedDict(a=torch.zeros(1)), lambda batch: batch["a"]),
        (MappingProxyType({"a": torch.zeros(1)}), lambda batch: batch["a"]),
        (Pictures(torch.zeros(1)), lambda batch: batch.x),
        (Pair(torch.zeros(1), torch.zeros(1)), lambda batch: batch.y),
        ([Pictures(torch.zeros(1))], lambda batch: batch[0].x),
        (pack_sequence([torch.zeros(2, 1), torch.zeros(1, 1)]), lambda batch: batch.data),
    ],
    ids=lambda item: type(item).__name__,
)
def test_batches_of_every_kind_are_moved_and_keep_their_kind(batch, tensor):
    """Mappings such as a tokenizer gives, dataclasses, named tuples, packed sequences; what was given is left as it was."""
    moved = _moved(batch, "meta")
    assert (tensor(moved).device.type, tensor(batch).device.type) == ("meta", "cpu")
    assert type(moved) is type(batch) or type(batch) is MappingProxyType
    assert _moved("text", "meta") == "text"


def square():
    return nn.Linear(3, 3, bias=False)


def of_two_groups(parameters):
    """Needs the parameters of the module."""
    encoder, decoder = parameters
    return torch.optim.SGD([{"params": encoder}, {"params": decoder}], lr=0.1)


def two():
    return nn.Sequential(square(), square())


@pytest.mark.parametrize(("module", "optimizer"), [(square, torch.optim.Muon), (two, of_two_groups)])
def test_an_optimiser_may_be_for_parameters_of_some_kind_alone(module, optimizer):
    """Such as matrices, or those of this module: its settings are read all the same."""
    given = {"loss": magnitude, "batches": plain_batches, "score": last}
    check_task(task(space=Space({"lr": LogUniform(1e-3, 1e-1)}), module=module, optimizer=optimizer, **given))


def magnitude(model, batch):
    return model(batch).square().mean()


def last(model):
    return model(torch.ones(1, 3)).sum().item()


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"space": None}, "space = None must be a Space"),
        ({"module": nn.Linear(3, 1)}, r"module = Linear\(.*\) is one module for all members"),
        ({"optimizer": torch.optim.Adam(nn.Linear(3, 1).parameters())}, "is one optimizer for all members"),
        ({"optimizer": "adam"}, "optimizer = 'adam' must be a function or a class"),
        ({"optimizer": functools.partial(torch.optim.SGD, learning=0.1)}, "unexpected keyword argument 'learning'"),
        ({"optimizer": list}, "it must make an optimiser"),
        ({"batches": [1]}, r"batches = \[1\] must be a function or a class"),
        ({"loss": None}, "loss = None must be a function or a class"),
        ({"score": None}, "score = None must be a function or a class"),
        ({"module": nn.Linear}, r"module is called as module\(\): missing a required argument: 'in_features'"),
        ({"score": plain_loss}, r"score is called as score\(module\): missing a required argument: 'batch'"),
        ({"device": "gpu"}, "device = 'gpu' must be a device of torch"),
        ({"device": None}, "device = None must be a device of torch"),
        ({"space": Space({**SPACE, "betas": Choice(((0.9, 0.99), (0.8, 0.9)))})}, "'beta1' is a number of 'betas'"),
    ],
)
def test_what_is_not_of_its_kind_is_refused_when_the_task_is_made(changed, error):
    """By its name, and before anything is trained."""
    with pytest.raises(ValueError, match=f"TorchTask: .*{error}"):
        task(**changed)


def test_a_module_that_is_none_is_told_by_every_member():
    """What a function gives is known when it is called."""
    with pytest.raises(TypeError, match=r"module gave 3: it must give a torch\.nn\.Module"):
        task(module=lambda: 3).init(Stream(0), {})
