"""Bounds of a task's settings, checked where a task is built from them: before any work, and by the key's name.

Those of sizes are far beyond any use: they keep a slip of the keyboard from being a loop without end or an overflow. Whether
sizes fit a machine's memory together is for ``check_memory``, which a task asks before it makes what takes the most.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from reproductions.suite.study.registry import ConfigError

#: Of units, images, tokens or steps: the largest of our scales is 60,000.
MOST = 1_000_000
#: Of what is a program, a game or a layer of its own, made one after another.
MOST_MADE = 1_000
#: Letters. No game, level or map has a longer name.
LONGEST_NAME = 100

Count = Annotated[int, Field(ge=1, le=MOST)]
Few = Annotated[int, Field(ge=1, le=MOST_MADE)]
#: The edge of a picture: fewer are less than the convolutions take, and no engine draws more.
Pixels = Annotated[int, Field(ge=15, le=1_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(max_length=LONGEST_NAME)]


def one_of(*values: int) -> AfterValidator:
    """A whole number that is one of these. (``Literal`` would take 16.0 for 16, and keep it as it is.)"""
    return AfterValidator(_among(values))


def _among(values: tuple[int, ...]) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value not in values:
            raise ValueError(f"{value} must be one of {list(values)}")
        return value

    return check


def check_used(task: Any, name: str, rule: str) -> None:
    """ConfigError where a setting that is of no effect in this task, by the ``rule``, is not its default: it was meant."""
    default = next(field.default for field in dataclasses.fields(task) if field.name == name)
    if (value := getattr(task, name)) != default:
        raise ConfigError(f"task.{name} = {value!r} has no effect: {rule}")


def check_memory(what: str, size: int) -> None:
    """ConfigError if this machine has less memory than the ``size`` bytes that ``what`` take: words that name the settings."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > there:
        raise ConfigError(f"{what} take {_gib(size)} of memory at least, and this machine has {_gib(there)}")


def _gib(size: int) -> str:
    return f"{size / 2**30:,.0f} GiB"
