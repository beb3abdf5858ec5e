"""From an annotation to what reads a value of its type, for the fields of declarations (``pbt_core.fields``).

numpy's values become Python's own, other sequences tuples. What is none of its type is an error that says the rule.
"""

from __future__ import annotations

import collections.abc
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pbt_core.values import fits, flaw, is_number, is_text, items, plain, scalar, shown

Reader = Callable[[Any], Any]
"""From a value to the one that is kept; Wrong if it is none of its type."""


@dataclass(frozen=True)
class Rule:
    """What a value of the right type must be, in words that follow "must be", and whether it is."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Read:
    """In an annotation: what reads the value, instead of the reader of its type."""

    reader: Reader


class Wrong(Exception):
    """A value breaks a rule; ``place`` is where it stands in the field's value, such as [3]."""

    def __init__(self, value: Any, rule: str, place: str = "") -> None:
        super().__init__(rule)
        self.value, self.rule, self.place = value, rule, place


def reader(hint: Any) -> Reader:
    """What reads a value of this annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        given = next((extra.reader for extra in arguments[1:] if isinstance(extra, Read)), None)
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


def _whole(value: Any) -> int:
    whole = scalar(value)
    if not isinstance(whole, int) or isinstance(whole, bool):
        raise Wrong(value, "a whole number")
    if not fits(whole):
        raise Wrong(value, "a whole number of 64 bits")
    return whole


def finite(value: Any) -> int | float:
    """A finite number. Whole numbers stay whole, if 64 bits hold them."""
    real = scalar(value)
    if not is_number(real):
        raise Wrong(value, "a finite number")
    return real if isinstance(real, int) and fits(real) else float(real)


def any_number(value: Any) -> int | float:
    """A number, finite or not."""
    real = scalar(value)
    return float(real) if isinstance(real, float) else finite(value)


def _flag(value: Any) -> bool:
    flag = scalar(value)
    if not isinstance(flag, bool):
        raise Wrong(value, "True or False")
    return flag


def _text(value: Any) -> str:
    text = scalar(value)
    if not isinstance(text, str) or not is_text(text):
        raise Wrong(value, "a text")
    return text


def _none(value: Any) -> None:
    if value is not None:
        raise Wrong(value, "None")


def _function(value: Any) -> Any:
    _no_class(value, "a function")
    if not callable(value):
        raise Wrong(value, "a function")
    return value


def _no_class(value: Any, rule: str) -> None:
    if isinstance(value, type):
        name = value.__name__
        raise Wrong(value, f"{rule}: {name} is a class: give an instance, {name}(...)")


_SIMPLE: Mapping[Any, Reader] = {
    int: _whole,
    float: finite,
    bool: _flag,
    str: _text,
    types.NoneType: _none,
    Any: plain,
}


def _ruled(read: Reader, rules: Sequence[Rule]) -> Reader:
    def ruled(value: Any) -> Any:
        kept = read(value)
        for rule in rules:
            if not rule.holds(kept):
                raise Wrong(kept, rule.words)
        return kept

    return ruled


def _either(readers: Sequence[Reader]) -> Reader:
    def either(value: Any) -> Any:
        wrongs: list[Wrong] = []
        for read in readers:
            try:
                return read(value)
            except Wrong as wrong:
                wrongs.append(wrong)
        raise next((wrong for wrong in wrongs if wrong.place), None) or Wrong(
            value, " or ".join(dict.fromkeys(wrong.rule for wrong in wrongs))
        )

    return either


def _literal(values: tuple[Any, ...]) -> Reader:
    *others, last = map(repr, values)
    words = f"{', '.join(others)} or {last}" if others else last

    def literal(value: Any) -> Any:
        kept = scalar(value)
        if not isinstance(kept, str) or kept not in values:
            raise Wrong(value, words)
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
            raise Wrong(value, f"a tuple of {len(readers)}")
        kept = []
        for place, (read, item) in enumerate(zip(readers, found, strict=True)):
            try:
                kept.append(read(item))
            except Wrong as wrong:
                wrong.place = f"[{place}]{wrong.place}"
                raise
        # The same object where nothing has changed, so that nothing is set.
        return value if value.__class__ is tuple and all(map(_is, kept, value)) else tuple(kept)

    return row


def _items(value: Any) -> tuple[Any, ...]:
    found = items(value)
    if found is None:
        raise Wrong(value, "a tuple")
    return found


def _is(one: Any, other: Any) -> bool:
    return one is other


def _mapping(of: Any) -> Reader:
    words = "a mapping of hyperparameters" if of is Any else "a mapping of names to values"
    read = _hyperparameter if of is Any else reader(of)

    def mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Wrong(value, words)
        kept = {}
        for key, item in value.items():
            name = scalar(key)
            if not isinstance(name, str) or not is_text(name):
                raise Wrong(value, f"{words}, which are texts")
            try:
                kept[name] = read(item)
            except Wrong as wrong:
                wrong.place = f"[{shown(name)}]{wrong.place}"
                raise
        return kept

    return mapping


def _hyperparameter(value: Any) -> Any:
    kept = plain(value)
    if why := flaw(kept):
        raise Wrong(value, f"a number, a text, True, False, None or a tuple of such, and not one {why}")
    return kept


def _instance(kind: type) -> Reader:
    words = _a(kind.__name__)

    def instance(value: Any) -> Any:
        if not isinstance(value, kind):
            _no_class(value, words)
            raise Wrong(value, words)
        return value

    return instance


def _protocol(protocol: type) -> Reader:
    operations = [n for n, item in vars(protocol).items() if inspect.isfunction(item) and not n.startswith("_")]
    words = f"{_a(protocol.__name__)}, with {' and '.join(operations)}"

    def kept(value: Any) -> Any:
        _no_class(value, words)
        if not all(callable(getattr(value, operation, None)) for operation in operations):
            raise Wrong(value, words)
        return value

    return kept


def _a(name: str) -> str:
    """A name with its article."""
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"
