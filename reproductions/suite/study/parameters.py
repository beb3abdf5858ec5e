"""The parameters of a kind: what its declaration, a dataclass or a function, says of the keys of a description."""

from __future__ import annotations

import dataclasses
import inspect
import operator
import types
from functools import cache, reduce
from typing import Annotated, Any, Union, get_args, get_origin

from reproductions.suite.study.kinds import FAMILIES, Family, Kind

#: The default of a parameter that has none.
REQUIRED = dataclasses.MISSING


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A parameter of a kind.

    family: of what it holds, if that is described by a kind of its own; ``several``: it holds a tuple of them.
    optional: it may be None.
    inlined: the dataclass whose keys stand in its place, such as the PBT in PB2.
    """

    name: str
    annotation: Any
    default: Any
    family: Family | None
    several: bool
    optional: bool
    inlined: Kind | None

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@cache
def parameters(kind: Kind) -> tuple[Parameter, ...]:
    """The parameters of a kind, in the order of its declaration."""
    annotations = {name: _bare(hint) for name, hint in inspect.get_annotations(kind, eval_str=True).items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        defaults = {field.name: _default(field) for field in dataclasses.fields(kind) if field.init}
    else:
        signature = inspect.signature(kind).parameters.items()
        defaults = {name: REQUIRED if p.default is p.empty else p.default for name, p in signature}
    return tuple(_parameter(name, annotations[name], default) for name, default in defaults.items())


def keys(kind: Kind) -> list[Parameter]:
    """The parameters that a description of this kind may name: in place of an inlined dataclass, those of it."""
    return [key for p in parameters(kind) for key in (keys(p.inlined) if p.inlined else [p])]


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    inner, optional = _without_none(annotation)
    several = get_origin(inner) is tuple and get_args(inner)[1:] == (...,)
    item = get_args(inner)[0] if several else inner
    family = next((family for family in FAMILIES if family.type == item), None)
    inlined = inner if isinstance(inner, type) and dataclasses.is_dataclass(inner) else None
    return Parameter(name, annotation, default, family, several and family is not None, optional, inlined)


def _bare(annotation: Any) -> Any:
    """An annotation without the rules of ``pbt_core.fields``, which a declaration checks itself."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bare(arguments[0])
    if origin in (Union, types.UnionType):
        return reduce(operator.or_, map(_bare, arguments))
    return types.GenericAlias(tuple, tuple(map(_bare, arguments))) if origin is tuple else annotation


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``X`` of ``X | None``, and whether None is allowed."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    parts = [part for part in get_args(annotation) if part is not type(None)]
    return (parts[0] if len(parts) == 1 else annotation), len(parts) < len(get_args(annotation))


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
