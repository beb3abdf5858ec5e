"""A ready-made task for a torch model: a module, an optimiser, batches, a loss and a score."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch

from pbt_core.seeds import Stream
from pbt_core.space import Hyperparameters, Space
from pbt_core.store import Checkpoint
from pbt_core.task import Score
from pbt_core.torch import pack, seeded, unpack
from pbt_core.values import called, shown

Module = torch.nn.Module
Optimizer = torch.optim.Optimizer

#: Hyperparameters that are one number of a pair in an optimiser's groups: by name, the pair's key and the place in it.
PAIRS = {"beta1": ("betas", 0), "beta2": ("betas", 1)}


@dataclass
class TorchState:
    """What a member trains."""

    module: Module
    optimizer: Optimizer


@dataclass(frozen=True)
class TorchTask:
    """Trains ``module`` with ``optimizer`` on the ``loss`` of ``batches``; ``score`` says how good it is.

    space: what is searched. A hyperparameter that has the name of a setting of the optimiser (``lr``, ``weight_decay``,
        ``momentum``, ``beta1``, ...) is written into all its groups before every interval, over whatever a loaded state
        brings along. Any other must be a parameter, of this name, of ``loss`` or ``batches``, which get its value.
    module: makes the network, ``module()``. What it is made of does not depend on hyperparameters, since weights are copied
        from member to member.
    optimizer: makes the optimiser from the module's parameters: a class such as ``torch.optim.AdamW``, or a
        ``functools.partial`` of one for settings that are not searched. Not one whose ``step`` needs a closure (LBFGS).
    batches: ``batches(steps, seed, ...)`` gives the batches of an interval, ``steps`` of them (more are left alone). It draws
        from ``seed.generator()``, a numpy generator, or seeds a sampler with ``seed.integer()``.
    loss: ``loss(module, batch, ...)`` gives the loss to go down, a tensor of one number. The module is in training mode.
    score: ``score(module)`` gives a Score, or one number, larger is better; in evaluation mode and without gradients.
    device: where the module is; a batch is moved there: tensors and whatever else has a method ``to``, itself or in tuples,
        lists, mappings and dataclasses.

    torch's global CPU generator is seeded from the member's stream around each of them, so that initial weights and
    dropout need no generator. All five are functions of a module or classes, by whose names a run is known; the task can
    then be sent to worker processes. ValueError, as soon as it is made, for what is none of these, for a hyperparameter that is
    not used or that another one includes, for one that is both a setting of the optimiser and a parameter of ``loss`` or
    ``batches``, and for a parameter that none fills.
    """

    space: Space
    module: Callable[[], Module]
    optimizer: Callable[..., Optimizer]
    batches: Callable[..., Iterable[Any]]
    loss: Callable[..., torch.Tensor]
    score: Callable[[Module], Score | float]
    device: str = "cpu"

    def __post_init__(self) -> None:
        _check_kinds(self)
        settings = _settings(self._any_optimizer())
        for name, (pair, _) in PAIRS.items():
            if name in self.space and pair in self.space:
                raise ValueError(
                    f"TorchTask: space: {name!r} is a number of {pair!r}, which the space has too: drop one"
                )
        for_loss, for_batches = _extras(self.loss, "loss", 2), _extras(self.batches, "batches", 2)
        for function, extras in (("loss", for_loss), ("batches", for_batches)):
            if missing := sorted(name for name, required in extras.items() if required and name not in self.space):
                raise ValueError(
                    f"TorchTask: {function} asks for {missing[0]!r}, which the space does not have: it has {list(self.space)}"
                )
            if twice := sorted(settings & extras.keys() & self.space.keys()):
                raise ValueError(
                    f"TorchTask: space: {twice[0]!r} is a setting of the optimiser and a parameter of {function}, and would "
                    f"be given to both: rename the parameter of {function}"
                )
        taken = settings | for_loss.keys() | for_batches.keys()
        if lost := [name for name in self.space if name not in taken]:
            raise ValueError(
                f"TorchTask: space: {lost[0]!r} is neither a setting of the optimiser ({', '.join(sorted(settings))}) nor a "
                "parameter of loss or batches"
            )

    def init(self, seed: Stream, hyperparameters: Hyperparameters) -> TorchState:
        with seeded(seed):
            module = self.module()
            if not isinstance(module, Module):
                raise TypeError(f"TorchTask: module gave {shown(module)}: it must give a torch.nn.Module")
            module = module.to(self.device)
        return TorchState(module, self.optimizer(module.parameters()))

    def step(self, state: TorchState, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> TorchState:
        module, optimizer = state.module, state.optimizer
        _rule(optimizer, hyperparameters)
        extras = _filled(self.loss, hyperparameters)
        module.train()
        with seeded(seed):
            for batch in self._batches(hyperparameters, steps, seed):
                optimizer.zero_grad()
                self.loss(module, _moved(batch, self.device), **extras).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        return state

    def evaluate(self, state: TorchState, seed: Stream) -> Score:
        state.module.eval()
        with seeded(seed), torch.no_grad():
            score = self.score(state.module)
        return score if isinstance(score, Score) else Score(float(score))

    def save(self, state: TorchState) -> Checkpoint:
        return pack(module=state.module, optimizer=state.optimizer)

    def load(self, checkpoint: Checkpoint, hyperparameters: Hyperparameters) -> TorchState:
        state = self.init(Stream(0), hyperparameters)
        unpack(checkpoint, module=state.module, optimizer=state.optimizer)
        return state

    def _any_optimizer(self) -> Optimizer:
        """The optimiser of some parameters: of a vector or a matrix, or, where it has neither, of the module's own."""
        for shape in ((1,), (1, 1)):
            with contextlib.suppress(Exception):  # such as Muon's, which are for matrices alone
                if isinstance(made := self.optimizer([torch.zeros(shape, requires_grad=True)]), Optimizer):
                    return made
        with seeded(Stream(0)):
            made = called("TorchTask: optimizer", self.optimizer, called("TorchTask: module", self.module).parameters())
        if not isinstance(made, Optimizer):
            raise ValueError(
                f"TorchTask: optimizer = {shown(self.optimizer)} made {shown(made)}: it must make an optimiser"
            )
        return made

    def _batches(self, hyperparameters: Hyperparameters, steps: int, seed: Stream) -> Iterator[Any]:
        count = 0
        for batch in islice(self.batches(steps, seed, **_filled(self.batches, hyperparameters)), steps):
            count += 1
            yield batch
        if count < steps:
            raise ValueError(f"batches gave {count} of the {steps} that an interval takes")


def _check_kinds(task: TorchTask) -> None:
    """ValueError, naming the field, the value and the rule, for what is not of the kind that the class says."""
    if not isinstance(task.space, Space):
        raise ValueError(f"TorchTask: space = {shown(task.space)} must be a Space")
    for name, made in (("module", Module), ("optimizer", Optimizer)):
        if isinstance(value := getattr(task, name), made):
            what = "must be what makes one, such as its class"
            raise ValueError(f"TorchTask: {name} = {shown(value)} is one {name} for all members: it {what}")
    for name in ("module", "optimizer", "batches", "loss", "score"):
        if not callable(value := getattr(task, name)):
            raise ValueError(f"TorchTask: {name} = {shown(value)} must be a function or a class")
    for name, given in (("module", ()), ("score", ("module",))):
        try:
            inspect.signature(getattr(task, name)).bind(*given)
        except TypeError as error:
            raise ValueError(f"TorchTask: {name} is called as {name}({', '.join(given)}): {error}") from None
        except ValueError:  # one without a signature, which is written in C
            continue
    try:
        torch.device(task.device)
    except (RuntimeError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"TorchTask: device = {shown(task.device)} must be a device of torch: {reason}") from None


def _settings(optimizer: Optimizer) -> set[str]:
    """What can be set in an optimiser's groups, by the names that a hyperparameter may have."""
    keys = set(optimizer.param_groups[0]) - {"params"}
    return keys | {name for name, (pair, _) in PAIRS.items() if pair in keys}


def _rule(optimizer: Optimizer, hyperparameters: Hyperparameters) -> None:
    """Write the hyperparameters that are settings of the optimiser into its groups."""
    for group in optimizer.param_groups:
        for name, value in hyperparameters.items():
            if name in group:
                group[name] = value
            elif name in PAIRS and PAIRS[name][0] in group:
                key, place = PAIRS[name]
                pair = list(group[key])
                pair[place] = value
                group[key] = tuple(pair)


def _extras(function: Callable[..., Any], name: str, first: int) -> dict[str, bool]:
    """The parameters of a function beyond its ``first`` ones; whether each must be filled."""
    parameters = list(inspect.signature(function).parameters.values())
    if len(parameters) < first:
        raise ValueError(f"TorchTask: {name} must take {first} arguments or more, and takes {len(parameters)}")
    return {
        p.name: p.default is p.empty for p in parameters[first:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }


def _filled(function: Callable[..., Any], hyperparameters: Hyperparameters) -> dict[str, Any]:
    names = _extras(function, "function", 2)
    return {name: hyperparameters[name] for name in names if name in hyperparameters}


def _moved(batch: Any, device: str) -> Any:
    """The batch with every tensor in it on the device; containers keep their types."""
    if callable(to := getattr(batch, "to", None)):
        return to(device)
    if dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        moved = copy.copy(batch)
        for field in dataclasses.fields(batch):
            object.__setattr__(moved, field.name, _moved(getattr(batch, field.name), device))  # frozen ones too
        return moved
    if isinstance(batch, Mapping):
        items = {key: _moved(item, device) for key, item in batch.items()}
        if type(batch) is dict or not isinstance(batch, MutableMapping):
            return items
        same_kind = copy.copy(batch)
        same_kind.update(items)
        return same_kind
    if isinstance(batch, tuple | list):
        parts = [_moved(item, device) for item in batch]
        if isinstance(batch, list):
            return parts
        return type(batch)(*parts) if hasattr(batch, "_fields") else tuple(parts)
    return batch


__all__ = ["TorchState", "TorchTask"]
