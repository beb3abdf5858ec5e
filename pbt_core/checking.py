"""What is given to an engine, checked before any work: a task, a method and a plan, with the functions that they must have."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from pbt_core.plan import Plan
from pbt_core.space import Space
from pbt_core.values import flag, shown

#: The arguments of each function, which are given by position.
TASK: Mapping[str, tuple[str, ...]] = {
    "init": ("seed", "hyperparameters"),
    "step": ("state", "hyperparameters", "steps", "seed"),
    "evaluate": ("state", "seed"),
    "save": ("state",),
    "load": ("checkpoint", "hyperparameters"),
}
#: Functions that a task may have.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "step_all": ("states", "hyperparameters", "steps", "seeds"),
    "close": ("state",),
}
METHOD: Mapping[str, tuple[str, ...]] = {"start": ("space", "size", "rng"), "decide": ("member", "population", "rng")}


def check_arguments(task: Any, method: Any, plan: Any, observer: Any = None, extend: Any = False) -> None:
    """ValueError, in one line, unless these are a task, a method and a plan whose functions can be called as they will be.

    So can an observer, and ``extend`` is True or False.
    """
    if not isinstance(plan, Plan):
        raise ValueError(f"plan: {_what(plan)} must be a Plan, such as Plan(population=8, steps=1000, interval=100)")
    _check_functions("task", task, TASK)
    _check_functions("task", task, {name: names for name, names in OPTIONAL.items() if _has(task, name)})
    _check_functions("method", method, METHOD)
    _check_space(task)
    if observer is not None and (isinstance(observer, type) or not callable(observer)):
        raise ValueError(f"observer = {shown(observer)} must be a function of an event, or None")
    flag("run", "extend", extend)


def check_loader(task: Any) -> None:
    """ValueError, as from ``check_arguments``, unless this is a task that can load a state."""
    _check_functions("task", task, {"load": TASK["load"]})
    _check_space(task)


def _check_space(task: Any) -> None:
    space = getattr(task, "space", None)
    if not isinstance(space, Space):
        raise ValueError(f"{type(task).__name__}.space must be a Space, not {type(space).__name__}")


def _check_functions(role: str, owner: Any, functions: Mapping[str, tuple[str, ...]]) -> None:
    if isinstance(owner, type):
        raise ValueError(f"{role}: {owner.__name__} is a class: give an instance, {owner.__name__}(...)")
    missing = [name for name in functions if not _has(owner, name)]
    if missing:
        others = {"task": METHOD, "method": TASK}[role]
        swapped = "; are task and method given in this order?" if all(_has(owner, name) for name in others) else ""
        raise ValueError(f"{role}: {_what(owner)} has no {', '.join(missing)}{swapped}")
    for name, arguments in functions.items():
        _check_call(f"{type(owner).__name__}.{name}", getattr(owner, name), arguments)


def _has(owner: Any, name: str) -> bool:
    return callable(getattr(owner, name, None))


def _check_call(name: str, function: Any, arguments: tuple[str, ...]) -> None:
    """ValueError unless the function takes so many arguments, and none of them, by their names, in the place of another.

    Of a wrapped function the wrapper is what is called. What has no signature, as some functions in C, is not judged.
    """
    try:
        signature = inspect.signature(function, follow_wrapped=False)
    except (ValueError, TypeError):
        return
    wanted = f"{name} is called as {name.rpartition('.')[2]}({', '.join(arguments)})"
    try:
        bound = signature.bind(*arguments)
    except TypeError as error:
        raise ValueError(f"{wanted}, but declared with {_text(signature)}: {error}") from None
    if any(value in arguments and name in arguments and name != value for name, value in bound.arguments.items()):
        raise ValueError(f"{wanted}, but declared with {_text(signature)}, in another order")


def _text(signature: inspect.Signature) -> str:
    plain = [part.replace(annotation=inspect.Parameter.empty) for part in signature.parameters.values()]
    return f"({', '.join(map(str, plain))})"


def _what(value: Any) -> str:
    name = type(value).__name__
    return (
        f"{name} {shown(value)}"
        if type(value).__module__ == "builtins"
        else f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
    )
