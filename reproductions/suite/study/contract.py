"""The contract of a domain's modules, checked where they are loaded: one line with the domain, the name and the rule.

Classes are known by their names here: to import them would count them among the sources of all runs (``study.sources``).
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from reproductions.suite.study.inputs import shown
from reproductions.suite.study.names import LONGEST, SCALES, WORD, WORDS
from reproductions.suite.study.registry import ConfigError


def check(module: ModuleType, domain: str, name: str) -> None:
    """ConfigError unless a domain's ``sweep``, ``task`` or ``analysis``, the ``name``, declares what is read of it."""
    try:
        {"sweep": _check_sweep, "task": _check_task, "analysis": _check_analysis}[name](module)
    except _BrokenError as error:
        raise ConfigError(f"domain {domain!r}: {name}.py: {error}") from None


def cannot_be_imported(domain: str, name: str, error: BaseException) -> ConfigError:
    """What to raise where the import of a domain's module ended in an error: with the last line of the domain's own code."""
    if isinstance(error, ConfigError):
        return ConfigError(f"domain {domain!r}: {name}.py: {error}")
    places = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((str(error.filename), error.lineno))
    own = [place for place in places if f"/reproductions/{domain}/" in Path(place[0]).as_posix()]
    where = f"{Path(own[-1][0]).name}, line {own[-1][1]}" if own else f"{name}.py"
    said = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return ConfigError(f"domain {domain!r}: {where}: cannot be imported: {type(error).__name__}: {said}")


class _BrokenError(Exception):
    """What is broken of a module, and the rule."""


def _check_sweep(module: ModuleType) -> None:
    _is(module, "SPACE", "Space")
    _is(module, "MEASURE", "Measure")
    for name in ("PROBLEMS", "SCALES", "METHODS"):
        _is_mapping(module, name, _of_names)
    for key, settings in {**module.PROBLEMS, **module.METHODS}.items():
        _rule(isinstance(settings, Mapping), f"the settings of {shown(key)}", settings, "must be a mapping")
    _rule(set(module.SCALES) == set(SCALES), "SCALES", list(module.SCALES), f"must have the keys {list(SCALES)}")
    for name, scale in module.SCALES.items():
        _check_scale(f"SCALES[{name!r}]", scale, module.PROBLEMS)
    _is_tuple(module, "EXPECTED", "Expected")
    _is_tuple(module, "REQUIRES", "Requirement")
    for name in ("FIGURES", "SOURCES"):
        _is_tuple(module, name, "str", required=False)
    for name, allowed, keys in (
        ("SPACES", module.PROBLEMS.__contains__, "must be one of PROBLEMS"),
        ("WIDER", _of_names, "must be a setting of the task"),
    ):
        if hasattr(module, name):
            _is_mapping(module, name, allowed, keys)
            for key, space in getattr(module, name).items():
                _rule(_is_a(space, "Space"), f"{name}[{key!r}]", space, "must be a Space")


def _check_scale(key: str, scale: Any, problems: Mapping[str, Any]) -> None:
    _rule(_is_a(scale, "Scale"), key, scale, "must be a Scale")
    chosen = scale.problems
    _rule(
        isinstance(chosen, tuple | list),
        f"{key}.problems",
        chosen,
        'must be a tuple of keys of PROBLEMS: one alone needs a comma, ("name",)',
    )
    known = list(problems)
    _rule(bool(chosen) and set(chosen) <= set(known), f"{key}.problems", chosen, f"must be some of PROBLEMS, {known}")
    _rule(len(set(chosen)) == len(chosen), f"{key}.problems", chosen, "must name each once")


def _check_task(module: ModuleType) -> None:
    _rule(hasattr(module, "TASK"), "TASK", None, "is required: the class of the task", value=False)
    cls = module.TASK
    _rule(isinstance(cls, type), "TASK", cls, "must be the class of the task, not one of its objects")
    _rule(
        any(base.__name__ == "DomainTask" for base in cls.__mro__),
        "TASK",
        cls,
        "must derive from DomainTask, which has the hooks",
    )
    declared = dataclasses.is_dataclass(cls)
    if declared and "__dataclass_fields__" not in vars(cls):
        declared = not inspect.get_annotations(cls)  # fields of its own that its base's decorator never saw
    _rule(
        declared,
        "TASK",
        cls,
        "must be a dataclass, whose fields are its settings: write @dataclass(frozen=True) above it",
    )


def _check_analysis(module: ModuleType) -> None:
    _rule(
        callable(getattr(module, "figures", None)), "figures", None, "is required: a function of records", value=False
    )
    _is_tuple(module, "CLAIMS", "Claim", required=False)


def _of_names(name: Any) -> bool:
    return isinstance(name, str) and len(name) <= LONGEST and re.fullmatch(WORD, name) is not None


def _is_a(value: Any, kind: str) -> bool:
    return any(cls.__name__ == kind for cls in type(value).__mro__)


def _is(module: ModuleType, name: str, kind: str) -> None:
    _rule(hasattr(module, name), name, None, f"is required: a {kind}", value=False)
    _rule(_is_a(getattr(module, name), kind), name, getattr(module, name), f"must be a {kind}")


def _is_mapping(
    module: ModuleType, name: str, allowed: Callable[[Any], bool], keys: str = f"must be at most {LONGEST} {WORDS}"
) -> None:
    _rule(hasattr(module, name), name, None, "is required: a mapping by name", value=False)
    held = getattr(module, name)
    _rule(isinstance(held, Mapping), name, held, "must be a mapping by name")
    _rule(bool(held), name, held, "must not be empty")
    for key in held:
        _rule(allowed(key), f"{name}: the key", key, keys)


def _is_tuple(module: ModuleType, name: str, kind: str, required: bool = True) -> None:
    """A tuple of such things, which may be empty."""
    if not required and not hasattr(module, name):
        return
    _rule(hasattr(module, name), name, None, f"is required: a tuple of {kind}, which may be empty", value=False)
    held = getattr(module, name)
    comma = f": one alone needs a comma, ({kind}(...),)"
    _rule(isinstance(held, tuple | list), name, held, f"must be a tuple of {kind}{comma}")
    for number, item in enumerate(held):
        _rule(_is_a(item, kind), f"{name}[{number}]", item, f"must be a {kind}")


def _rule(kept: bool, key: str, held: Any, rule: str, value: bool = True) -> None:
    """value: whether there is one to show."""
    if not kept:
        raise _BrokenError(f"{key} = {shown(held)} {rule}" if value else f"{key} {rule}")
