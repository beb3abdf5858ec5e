"""The fields of a declaration, a frozen dataclass, checked against their annotations when it is made.

The annotation says the type; what a type cannot say stands beside it as a ``Rule``::

    ready: Annotated[int, at_least(1, "step")]
    factors: Annotated[tuple[Annotated[Float, above(0)], ...], ONE_OR_MORE] = (1.2, 0.8)

``checked(self)`` in ``__post_init__`` holds all of them. What two fields say of each other is checked after it.
"""

from __future__ import annotations

import dataclasses
import inspect
from functools import cache
from typing import Annotated, Any

from pbt_core.readers import Read, Reader, Rule, Wrong, any_number, finite, reader
from pbt_core.values import shown

#: Numbers that are kept as floats, whole ones too.
Float = Annotated[float, Read(lambda value: float(finite(value)))]
#: Numbers that need not be finite.
Extended = Annotated[float, Read(any_number)]


def at_least(low: int, unit: str = "") -> Rule:
    """A number of ``low`` or more, such as at least 1 step."""
    return Rule(f"at least {low}{unit and f' {unit}'}", lambda value: value >= low)


def above(low: float, unit: str = "") -> Rule:
    """A number above ``low``, such as above 0 steps."""
    return Rule(f"above {low}{unit and f' {unit}'}", lambda value: value > low)


def within(interval: str) -> Rule:
    """A number in an interval, which is written as in mathematics: ``(0, 0.5]`` is without 0 and with 0.5."""
    low, high = map(float, interval[1:-1].split(","))
    with_low, with_high = interval[0] == "[", interval[-1] == "]"
    return Rule(
        f"in {interval}",
        lambda value: (low < value or (with_low and value == low)) and (value < high or (with_high and value == high)),
    )


ONE_OR_MORE = Rule("one or more", bool)


def checked(declaration: Any) -> None:
    """Hold each field against its annotation: numpy's values become Python's own, other sequences tuples.

    ValueError, in one line with class, field, value and rule, for the first that does not keep it. A whole number must fit
    64 bits, as in a record; a number must be finite; a function or an object must be none that is still a class. Annotations
    that this module knows nothing of are not checked.
    """
    kind: type = type(declaration)
    for name, read in _readers(kind):
        value = getattr(declaration, name)
        try:
            kept = read(value)
        except Wrong as wrong:
            where = f"{kind.__name__}: {name} = {shown(value)}"
            inner = f": {name}{wrong.place} = {shown(wrong.value)}" if wrong.place else ""
            raise ValueError(f"{where}{inner} must be {wrong.rule}") from None
        except Exception as error:  # of the value's own, or it is nested without an end
            why = "it is nested too deeply" if isinstance(error, RecursionError) else f"it raised {shown(error)}"
            raise ValueError(f"{kind.__name__}: {name} = {shown(value)} cannot be used: {why}") from None
        if kept is not value:
            object.__setattr__(declaration, name, kept)


@cache
def _readers(kind: type) -> tuple[tuple[str, Reader], ...]:
    hints: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        try:
            hints |= inspect.get_annotations(base, eval_str=True)
        except NameError:  # a user's class with a name that only a type checker knows
            continue
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    return tuple((name, reader(hints[name])) for name in fields if name in hints)


__all__ = ["ONE_OR_MORE", "Extended", "Float", "Rule", "above", "at_least", "checked", "within"]
