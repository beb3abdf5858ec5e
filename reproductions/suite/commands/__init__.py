"""The commands of the command line, by what they are about. Each ``add`` makes the parsers of its module's commands.

The functions here check arguments while they are parsed; argparse puts the option's name before their messages.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from reproductions.suite.study.inputs import InputError, folder_at, shown
from reproductions.suite.study.names import LONGEST, WORD, WORDS

#: What parsers of commands are added to.
Commands: TypeAlias = "argparse._SubParsersAction[Any]"


class Once(argparse.Action):
    """What parsers do with an option that has one value: it may be given once, since of two nobody can tell which is meant.

    The namespace's ``given`` has, by what an option sets, the words that set it.
    """

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        if option is not None:
            _note(self, namespace, [option, *map(str, values if isinstance(values, list) else [values])])
        setattr(namespace, self.dest, values)


class OnceTrue(Once):
    """An option without a value."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, default: bool = False, help: str | None = None
    ) -> None:
        super().__init__(option_strings, dest, nargs=0, default=default, help=help)

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        _note(self, namespace, [str(option)])
        setattr(namespace, self.dest, True)


class OnceEither(argparse.BooleanOptionalAction):
    """``--name`` or ``--no-name``."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        _note(self, namespace, [str(option)])
        super().__call__(parser, namespace, values, option)


def _note(action: argparse.Action, namespace: argparse.Namespace, words: Sequence[str]) -> None:
    text = " ".join(words)
    given: dict[str, str] = vars(namespace).setdefault("given", {})
    if action.dest in given:
        raise argparse.ArgumentError(
            None, f"{shown(given[action.dest])} and {shown(text)}: given twice; give one of them"
        )
    given[action.dest] = text


def path(text: str) -> Path:
    """The path of a file or folder. Empty text is refused: it would stand for the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a path")
    return Path(text)


def folder(text: str) -> Path:
    """The path of a folder that is there, to read from."""
    try:
        return folder_at(path(text))
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def whole_number(text: str) -> int:
    """A whole number in plain digits."""
    if not re.fullmatch(r"[+-]?[0-9]{1,30}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a whole number")
    return int(text)


def port(text: str) -> int:
    """The number of a port, from 1 to 65535."""
    if not 1 <= (number := whole_number(text)) <= 65535:
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a port, from 1 to 65535")
    return number


def number(text: str) -> float:
    """A number in plain digits; its bounds are those of its setting."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} must be a finite number")
    return float(text)


def study(text: str) -> str:
    """The name of a folder below results/, not a path to elsewhere."""
    if not re.fullmatch(WORD, text) or len(text) > LONGEST:
        raise argparse.ArgumentTypeError(
            f"{shown(text)} must be the name of a folder below results/: at most {LONGEST} {WORDS}"
        )
    return text
