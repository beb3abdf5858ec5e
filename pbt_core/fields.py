"""The fields of a declaration, a frozen dataclass, checked against their annotations when it is made.

The annotation says the type; what a type cannot say stands beside it as a ``Rule``::

    ready: Annotated[int, at_least(1, "step")]
    factors: Annotated[tuple[Annotated[Float, above(0)], ...], ONE_OR_MORE] = (1.2, 0.8)

``checked(self)`` in ``__post_init__`` holds all of them. What two fields say of each other is checked after it.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pbt_core.values import fits, is_number, is_text, items, plain, scalar, shown

Reader = Callable[[Any], Any]
"""From a value to the one that is kept; _Wrong if it is none of its type."""


@dataclass(frozen=True)
class Rule:
    """What a value of the right type must be, in words that follow "must be", and whether it is."""

    words: str
    holds: Callable[[Any], bool]


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


@dataclass(frozen=True)
class _Read:
    """In an annotation: what reads the value, instead of the reader of its type."""

    reader: Reader


class _Wrong(Exception):
    """A value breaks a rule; ``place`` is where it stands in the field's value, such as [3]."""

    def __init__(self, value: Any, rule: str, place: str = "") -> None:
        super().__init__(rule)
        self.value, self.rule, self.place = value, rule, place


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
        except _Wrong as wrong:
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


def reader(hint: Any) -> Reader:
    """What reads a value of this annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        given = next((extra.reader for extra in arguments[1:] if isinstance(extra, _Read)), None)
        return _ruled(given or reader(arguments[0]), [extra for extra in arguments[1:] if isinstance(extra, Rule)])
    if origin in (Union, types.UnionType):
        return _either([reader(argument) for argument in arguments])
    if origin is Literal:
        return _literal(arguments)
    if origin is tuple:
        several = arguments[1:] == (...,)
        return _several(reader(arguments[0])) if several else _row([reader(argument) for argument in arguments])
    if origin is collections.abc.Mapping and arguments[0] is str:
        return _mapping(arguments[1])
    if origin is collections.abc.Callable:
        return _function
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if getattr(hint, "_is_protocol", False):
        return _protocol(hint)
    return _instance(hint) if isinstance(hint, type) else plain


# -- readers ---------------------------------------------------------------------------------------------------------


def _whole(value: Any) -> int:
    whole = scalar(value)
    if not isinstance(whole, int) or isinstance(whole, bool):
        raise _Wrong(value, "a whole number")
    if not fits(whole):
        raise _Wrong(value, "a whole number of 64 bits")
    return whole


def _finite(value: Any) -> int | float:
    """Whole numbers stay whole, if 64 bits hold them."""
    real = scalar(value)
    if not is_number(real):
        raise _Wrong(value, "a finite number")
    return real if isinstance(real, int) and fits(real) else float(real)


def _any_number(value: Any) -> int | float:
    real = scalar(value)
    return float(real) if isinstance(real, float) else _finite(value)


def _flag(value: Any) -> bool:
    flag = scalar(value)
    if not isinstance(flag, bool):
        raise _Wrong(value, "True or False")
    return flag


def _text(value: Any) -> str:
    text = scalar(value)
    if not isinstance(text, str) or not is_text(text):
        raise _Wrong(value, "a text")
    return text


def _none(value: Any) -> None:
    if value is not None:
        raise _Wrong(value, "None")


def _function(value: Any) -> Any:
    _no_class(value, "a function")
    if not callable(value):
        raise _Wrong(value, "a function")
    return value


def _no_class(value: Any, rule: str) -> None:
    if isinstance(value, type):
        name = value.__name__
        raise _Wrong(value, f"{rule}: {name} is a class: give an instance, {name}(...)")


_SIMPLE: Mapping[Any, Reader] = {
    int: _whole,
    float: _finite,
    bool: _flag,
    str: _text,
    types.NoneType: _none,
    Any: plain,
}

#: Numbers that are kept as floats, whole ones too.
Float = Annotated[float, _Read(lambda value: float(_finite(value)))]
#: Numbers that need not be finite.
Extended = Annotated[float, _Read(_any_number)]


def _ruled(read: Reader, rules: Sequence[Rule]) -> Reader:
    def ruled(value: Any) -> Any:
        kept = read(value)
        for rule in rules:
            if not rule.holds(kept):
                raise _Wrong(kept, rule.words)
        return kept

    return ruled


def _either(readers: Sequence[Reader]) -> Reader:
    def either(value: Any) -> Any:
        wrongs: list[_Wrong] = []
        for read in readers:
            try:
                return read(value)
            except _Wrong as wrong:
                wrongs.append(wrong)
        raise next((wrong for wrong in wrongs if wrong.place), None) or _Wrong(
            value, " or ".join(dict.fromkeys(wrong.rule for wrong in wrongs))
        )

    return either


def _literal(values: tuple[Any, ...]) -> Reader:
    *others, last = map(repr, values)
    words = f"{', '.join(others)} or {last}" if others else last

    def literal(value: Any) -> Any:
        kept = scalar(value)
        if not isinstance(kept, str) or kept not in values:
            raise _Wrong(value, words)
        return kept

    return literal


def _several(read: Reader) -> Reader:
    def several(value: Any) -> tuple[Any, ...]:
        return _row([read] * len(found))(found) if (found := _items(value)) else ()

    return several


def _row(readers: Sequence[Reader]) -> Reader:
    def row(value: Any) -> tuple[Any, ...]:
        found = _items(value)
        if len(found) != len(readers):
            raise _Wrong(value, f"a tuple of {len(readers)}")
        kept = []
        for place, (read, item) in enumerate(zip(readers, found, strict=True)):
            try:
                kept.append(read(item))
            except _Wrong as wrong:
                wrong.place = f"[{place}]{wrong.place}"
                raise
        # The same object where nothing has changed, so that nothing is set.
        return value if value.__class__ is tuple and all(map(_is, kept, value)) else tuple(kept)

    return row


def _items(value: Any) -> tuple[Any, ...]:
    found = items(value)
    if found is None:
        raise _Wrong(value, "a tuple")
    return found


def _is(one: Any, other: Any) -> bool:
    return one is other


def _mapping(of: Any) -> Reader:
    words = "a mapping of hyperparameters" if of is Any else "a mapping of names to values"
    read = reader(of)

    def mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _Wrong(value, words)
        kept = {}
        for key, item in value.items():
            name = scalar(key)
            if not isinstance(name, str) or not is_text(name):
                raise _Wrong(value, f"{words}, which are texts")
            try:
                kept[name] = read(item)
            except _Wrong as wrong:
                wrong.place = f"[{shown(name)}]{wrong.place}"
                raise
        return kept

    return mapping


def _instance(kind: type) -> Reader:
    words = a(kind.__name__)

    def instance(value: Any) -> Any:
        if not isinstance(value, kind):
            _no_class(value, words)
            raise _Wrong(value, words)
        return value

    return instance


def _protocol(protocol: type) -> Reader:
    operations = [n for n, item in vars(protocol).items() if inspect.isfunction(item) and not n.startswith("_")]
    words = f"{a(protocol.__name__)}, with {' and '.join(operations)}"

    def kept(value: Any) -> Any:
        _no_class(value, words)
        if not all(callable(getattr(value, operation, None)) for operation in operations):
            raise _Wrong(value, words)
        return value

    return kept


def a(name: str) -> str:
    """A name with its article."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
