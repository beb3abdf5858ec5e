"""Plain values: what a hyperparameter may be. They come back from a record, which is JSON, as they were declared."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Mapping, Set
from itertools import islice
from typing import Any, NoReturn

import numpy as np

#: A longer tuple is more likely a generator without an end.
MOST_ITEMS = 10**6
#: Letters of an error's text in a message.
LONGEST = 300
_SCALARS = frozenset({bool, int, str, type(None)})

Value = bool | int | float | str | None | tuple["Value", ...]
"""A hyperparameter's value: a number, a string, a boolean, None, or a tuple of them."""

Hyperparameters = Mapping[str, Any]
"""Values by name. The type of each value is declared by the space, so reading one is not typed."""


def plain(value: Any) -> Any:
    """``value`` without numpy: scalars become Python's own, arrays and lists tuples. Anything else stays as it is."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list):
        return tuple(map(plain, value))
    if isinstance(value, tuple):
        items = tuple(map(plain, value))
        return value if all(a is b for a, b in zip(value, items, strict=True)) else items
    return value


def scalar(value: Any) -> Any:
    """A number, a flag or a text of numpy's as Python's own; anything else as it is."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    return value.item() if isinstance(value, np.generic) else value


class ChangedInPlace(TypeError):
    """The hyperparameters of a member were written into."""


class Frozen(dict[str, Any]):
    """Hyperparameters that several parts of a run share: to be read, and copied as a plain dictionary.

    A method that wrote into them would change what a member has trained with.
    """

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise ChangedInPlace(
            "a member's hyperparameters cannot be changed in place: change a copy, {**hyperparameters}"
        )

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        return dict, (dict(self),)


#: How Python's own values are read from an object of a class derived from theirs, whatever that class redefines.
_BASES: Mapping[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    list: lambda value: list(list.__iter__(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    dict: lambda value: dict(dict.items(value)),
}


def base_of(value: Any) -> Any:
    """What an object of a class derived from a number, a text or a container of Python's is of that type; None for others."""
    kind = value.__class__
    if kind in _BASES or kind is bool:
        return None
    return next((read(value) for base, read in _BASES.items() if isinstance(value, base)), None)


def shown(value: Any) -> str:
    """``value`` as an error may print it: in one line, and not a long one, whatever its ``repr`` does."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a whole number of too many digits, one within a tuple, an object of the user's
        bits = f" of {value.bit_length()} bits" if isinstance(value, int) else ""
        text = f"<{type(value).__name__}{bits}>"
    return text if len(text) <= 100 else f"{text[:97]}..."


def brief(text: str) -> str:
    """An error's text as a message has it: in one line, and not a long one. The record has all of it."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."


def called(kind: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a user's function gives; ValueError, in one line that names it, if it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{kind} {name_of(function)} raised {reason}{where_raised(error)}") from error


def name_of(function: Any) -> str:
    """A function's name, or what an object that can be called is."""
    return getattr(function, "__name__", None) or shown(function)


def where_raised(error: BaseException) -> str:
    """`` (FILE, line N)`` of the innermost frame of its traceback; empty if that is the call itself."""
    *_, last = traceback.extract_tb(error.__traceback__)
    return "" if last.filename == __file__ else f" ({last.filename}, line {last.lineno})"


def flaw(value: Any) -> str | None:
    """Why a record cannot hold ``value``, as words to follow it in an error; None if it can."""
    try:
        return _flaw(value)
    except RecursionError:
        return "which is nested too deeply"


def _flaw(value: Any) -> str | None:
    match value:
        case None | bool():
            return None
        case int():
            return None if fits(value) else "which does not fit 64 bits"
        case float():
            return None if math.isfinite(value) else "which JSON has no word for (None could stand for it)"
        case str():
            return None if is_text(value) else "which is no valid text"
        case tuple():
            return next((f"with {shown(item)}, {why}" for item in value if (why := _flaw(item))), None)
    return f"which is a {type(value).__name__}"


def same(a: Any, b: Any) -> bool:
    """Whether ``a`` and ``b`` are equal in kind and content: True is not 1, 1 is not 1.0, -0.0 is not 0.0.

    A list is the same as the tuple of its items, since JSON writes both alike.
    """
    a, b = plain(a), plain(b)
    if isinstance(a, tuple) or isinstance(b, tuple):
        return isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    return _kind(a) == _kind(b) and bool(a == b) and (not isinstance(a, float) or str(float(a)) == str(float(b)))


def fits(value: int) -> bool:
    """Whether 64 bits hold ``value``, as the columns of a record do."""
    return -(2**63) <= value < 2**63


def is_number(value: Any) -> bool:
    """Whether ``value`` is one of Python's finite numbers; booleans and numpy's integers are none."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond every float
        return False


def number(owner: str, name: str, value: Any) -> int | float:
    """``value`` as a number of Python's own; ValueError, naming owner and name, unless it is a finite one."""
    plain_value = scalar(value)
    if not is_number(plain_value):
        raise ValueError(f"{owner}: {name} = {shown(value)} must be a finite number")
    return plain_value if isinstance(plain_value, int) else float(plain_value)


def whole_number(owner: str, name: str, value: Any) -> int:
    """``value`` as an int; ValueError, naming owner and name, unless it is a whole number. 2.0 and True are none."""
    plain_value = scalar(value)
    if not isinstance(plain_value, int) or isinstance(plain_value, bool):
        raise ValueError(f"{owner}: {name} = {shown(value)} must be a whole number")
    return plain_value


def flag(owner: str, name: str, value: Any) -> bool:
    """``value`` as a bool; ValueError, naming owner and name, unless it is True or False."""
    plain_value = scalar(value)
    if not isinstance(plain_value, bool):
        raise ValueError(f"{owner}: {name} = {shown(value)} must be True or False")
    return plain_value


def listed(owner: str, name: str, values: Any, example: str) -> tuple[Any, ...]:
    """``values`` as a tuple of plain ones. ValueError for what has no order or is no collection, with an ``example``."""
    found = items(values)
    if found is None:
        raise ValueError(f"{owner}: {name} = {shown(values)} must be a tuple, such as {example}")
    try:
        return tuple(map(plain, found))
    except RecursionError:
        raise ValueError(f"{owner}: {name} = {shown(values)} is nested too deeply") from None


def items(values: Any) -> tuple[Any, ...] | None:
    """What a sequence holds, in its order; None for what has no order or no end, and for texts."""
    if isinstance(values, str | bytes | bytearray | memoryview | Mapping | Set | np.generic):
        return None
    try:
        found = values if values.__class__ is tuple else tuple(islice(values, MOST_ITEMS + 1))
    except Exception:  # no collection: a number, or an array or a tensor without dimensions
        return None
    return found if len(found) <= MOST_ITEMS else None


def _kind(value: Any) -> type:
    """The type that JSON knows: an enumeration that is a string is written as one."""
    return next((kind for kind in (bool, int, float, str) if isinstance(value, kind)), type(value))


def is_text(value: str) -> bool:
    """Whether it can be written at all: half of a surrogate pair cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def identical(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equality of hyperparameters in which 1, 1.0 and True are three values, also within tuples, as -0.0 and 0.0 are two.

    A string enumeration's member is its text.
    """
    return one is other or (one == other and all(_alike(value, other[name]) for name, value in one.items()))


def _alike(a: Any, b: Any) -> bool:
    """``same``, of two values that are equal: nearly all are scalars, of which the type says it."""
    kind = a.__class__
    return (kind is b.__class__ and (kind in _SCALARS or (kind is float and a != 0))) or same(a, b)
