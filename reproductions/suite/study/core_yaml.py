"""YAML as version 1.2 of its specification reads it (the core schema): the one reader of configurations and of ``--set``.

PyYAML reads version 1.1, in which 010 is 8, 1:30 is 90, ``no`` is false and 1e-3 is text. Here a number with an exponent is a
number, and what else the two versions read differently is refused: nobody can tell which one its writer meant.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver, Resolver
from yaml.scanner import Scanner

from reproductions.suite.study.inputs import InputError, read_text, shown
from reproductions.suite.study.plain_values import plain

#: Bytes of a file, and characters that all its values may stand for, those of aliases counted as often as they are named.
LARGEST = 2**22
#: How far values may be nested.
DEEPEST = 50

_PREFIX = "tag:yaml.org,2002:"
#: Plain text that the core schema takes for something else (YAML 1.2.2, section 10.3.2), by its tag; without octal numbers.
_CORE = {
    "null": re.compile(r"|~|null|Null|NULL"),
    "bool": re.compile(r"true|True|TRUE|false|False|FALSE"),
    "int": re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+"),
    "float": re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"),
}
#: What readers take for numbers of another base, or for the same number in another one.
_OTHER_BASE = re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?([eE].*)?|[-+]?0[bo].*")
_AMBIGUOUS = "ambiguous"
_VERSION_1_1 = Resolver()


class NotYAML(ValueError):
    """Why a text is not taken, in one line."""


def read(path: Path) -> Any:
    """The value in a YAML file, of what JSON can hold. InputError in one line: the file, the key and the line."""
    text = read_text(path, LARGEST)
    try:
        return parse(text)
    except NotYAML as error:
        raise InputError(f"{path}: {error}") from None


def parse(text: str, key: str = "") -> Any:
    """The value of a YAML text, of what JSON can hold; ``key`` is where it is to stand. NotYAML says what is wrong."""
    try:
        node = _Reader(text).get_single_node()
        value = None if node is None else _Values().of(node, key)
        plain(value, key)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        words = f"{error.context}, {error.problem}" if f"{error.problem}".startswith("but ") else error.problem
        raise NotYAML(f"not valid YAML: {words}{line}") from None
    except ReaderError as error:
        raise NotYAML(f"not valid YAML: character {error.position + 1} must be one that can be printed") from None
    except RecursionError:  # the parser's own
        raise NotYAML(f"not valid YAML: nested more than {DEEPEST} deep") from None
    except NotYAML:
        raise
    except ValueError as error:  # what JSON cannot hold
        raise NotYAML(str(error)) from None
    return value


class _Reader(Reader, Scanner, Parser, Composer, BaseResolver):  # type: ignore[misc]  # yaml has no types
    """From text to nodes, whose tags are those of the core schema."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)

    def resolve(self, kind: type[Node], value: str, implicit: tuple[bool, bool]) -> str:
        """The tag of a node that has none of its own."""
        if kind is not ScalarNode or not implicit[0]:
            return str(super().resolve(kind, value, (False, False)))
        tag = next((tag for tag, pattern in _CORE.items() if pattern.fullmatch(value)), "str")
        before = _VERSION_1_1.resolve(kind, value, implicit).removeprefix(_PREFIX)
        return _AMBIGUOUS if before not in (tag, "str") or _OTHER_BASE.fullmatch(value) else _PREFIX + tag


class _Values:
    """What nodes stand for. ``spent`` counts characters: a short text of aliases can stand for an endless value."""

    def __init__(self) -> None:
        self._spent = 0
        self._open: list[Node] = []

    def of(self, node: Node, key: str) -> Any:
        """The value of a node; ``key`` is where it stands."""
        self._spent += 1 + (len(node.value) if isinstance(node, ScalarNode) else 0)
        if self._spent > LARGEST:
            raise NotYAML(f"its aliases stand for more than {LARGEST} characters")
        if isinstance(node, ScalarNode):
            return _scalar(node, key)
        with self._inside(node, key):
            if isinstance(node, SequenceNode) and node.tag == _PREFIX + "seq":
                return [self.of(item, f"{key}.{place}" if key else str(place)) for place, item in enumerate(node.value)]
            if isinstance(node, MappingNode) and node.tag == _PREFIX + "map":
                return self._mapping(node, key)
            raise _wrong(node, key, f"the tag {node.tag.replace(_PREFIX, '!!')} is not taken")

    def _mapping(self, node: MappingNode, key: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name_node, value_node in node.value:
            name = self.of(name_node, key)
            if not isinstance(name, str):
                raise _wrong(name_node, key, f"the key {_written(name_node)} must be text: put it in quotes")
            if name in made:
                raise _wrong(name_node, key, f"the key {shown(name)} stands twice, again", brief=True)
            made[name] = self.of(value_node, f"{key}.{name}" if key else name)
        return made

    @contextlib.contextmanager
    def _inside(self, node: Node, key: str) -> Iterator[None]:
        if node in self._open:
            raise _wrong(node, key, "it must not hold itself")
        if len(self._open) >= DEEPEST:
            raise NotYAML(f"not valid YAML: nested more than {DEEPEST} deep in line {node.start_mark.line + 1}")
        self._open.append(node)
        yield
        self._open.pop()


def _scalar(node: ScalarNode, key: str) -> Any:
    text, tag = node.value, node.tag.removeprefix(_PREFIX)
    if tag == "str":
        return text
    if tag == _AMBIGUOUS or (tag in ("int", "float") and _OTHER_BASE.fullmatch(text)):
        rule = (
            "is read as another value by some readers: write a plain decimal number, true or false, or put it in quotes"
        )
        raise _wrong(node, key, f"{_written(node)} {rule}")
    if tag not in _CORE or not _CORE[tag].fullmatch(text):
        raise _wrong(node, key, f"{node.tag.replace(_PREFIX, '!!')} {_written(node)} is not taken")
    match tag:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            if len(text) > 1000:  # of more digits Python makes no number
                raise _wrong(node, key, f"{_written(node)} must be a number of at most 64 bits")
            return int(text, 16 if text.startswith("0x") else 10)
        case _:
            return float(re.sub(r"\.(?=[iInN])", "", text))


def _written(node: Node) -> str:
    """A node as it was written, for a message."""
    return shown(node.value)[1:-1] if isinstance(node, ScalarNode) else "that is a list or a mapping"


def _wrong(node: Node, key: str, words: str, brief: bool = False) -> NotYAML:
    where = f"{shown(key)[1:-1]}: " if key else ""
    return NotYAML(f"{where}{words}{' ' if brief else ', '}in line {node.start_mark.line + 1}")
