"""Files from disk, which may hold anything: read as text, JSON or CSV, and checked against a schema before they are used.

Whatever is wrong with one is an InputError in one line: the file, the field and the rule.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reproductions.suite.study.registry import ConfigError

Model = TypeVar("Model", bound=BaseModel)

#: Bytes. Files that a study writes are far smaller; a larger file is none of them.
LARGEST = 256 * 2**20
#: Characters of a wrong value that are shown.
SHOWN = 80


class InputError(ConfigError):
    """A file that cannot be used; the message names the file, the field and the rule."""


class Checked(BaseModel):
    """The base of what a request is made of: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def shown(value: Any) -> str:
    """A value for a message: in one line, and not endless."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):  # nested too deeply; a number of too many digits
        text = f"a {type(value).__name__} too long to show"
    text = text if text.isprintable() else ascii(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}... ({len(text)} characters)"


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """The content of a regular file: a folder, a device or a pipe is refused, so that reading ends. largest: in bytes."""
    with _readable(path) as status:
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: must be a regular file")
        if status.st_size > largest:
            raise InputError(f"{path}: must be at most {largest} bytes, not {status.st_size}")
        return path.read_bytes()


def folder_at(path: Path) -> Path:
    """``path``, if it is a folder whose files can be listed and read; InputError otherwise."""
    with _readable(path) as status:
        if not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: must be a folder")
        if not os.access(path, os.R_OK | os.X_OK):
            raise InputError(f"{path}: Permission denied")
        return path


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[os.stat_result]:
    """What the system says of a path that is there; an error of the system is an InputError."""
    try:
        yield path.stat()
    except OSError as error:
        name = str(path) if len(str(path)) <= 4 * SHOWN else shown(str(path))
        raise InputError(f"{name}: {error.strerror or error}") from None


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a file; it must be UTF-8."""
    try:
        return read_bytes(path, largest).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8 text") from None


def read_json(path: Path) -> Any:
    """The value in a JSON file. Numbers that are not finite (NaN, Infinity) are left for the schema to judge."""
    return parsed_json(path, read_text(path))


def parsed_json(where: Path | str, text: str) -> Any:
    """The value of JSON text; InputError, which begins with ``where`` it comes from. Keys occur once, text is Unicode."""
    try:
        value = json.loads(text, object_pairs_hook=_unique)
        if "\\ud" in text.lower():  # half of a pair, which no file can hold, has no other way in
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deeply to be read") from None
    except UnicodeEncodeError as error:
        raise InputError(f"{where}: {shown(error.object[error.start : error.end])} is no character") from None
    except ValueError as error:  # a number of thousands of digits, or a key that occurs twice
        raise InputError(f"{where}: {_one_line(str(error))}") from None
    return value


def read_model(path: Path, model: type[Model]) -> Model:
    """The value in a JSON file, checked against a schema."""
    return checked(path, model, read_json(path))


def read_rows(path: Path, model: type[Model]) -> list[Model]:
    """The rows of a CSV file with a header, each checked against a schema. An empty cell is a field that is None.

    Columns must be fields of the model (or whatever else it allows), each once; every row must have all of them.
    """
    # A spreadsheet may begin a file with a byte order mark.
    lines = csv.reader(io.StringIO(read_text(path).removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = next(lines, None)
        if not header:
            raise InputError(f"{path}: is empty: the first line must name the columns")
        if len(set(header)) < len(header):
            twice = next(name for name in header if header.count(name) > 1)
            raise InputError(f"{path}: the column {shown(twice)} must occur once")
        required = [name for name, field in model.model_fields.items() if field.is_required()]
        if len(header) == 1 and set(header[0].split(";")) & set(required):
            raise InputError(f"{path}: cells must be separated by ',', not by ';' as spreadsheets of some languages do")
        if missing := [name for name in required if name not in header]:
            raise InputError(f"{path}: the column {missing[0]!r} is required")
        rows = []
        for cells in lines:
            where = f"{path}, line {lines.line_num}"
            if len(cells) != len(header):
                raise InputError(f"{where}: must have {len(header)} cells, not {len(cells)}")
            row = dict(zip(header, cells, strict=True))
            absent = {name: None for name in model.model_fields if row.get(name) == ""}
            rows.append(checked(where, model, {name: cell for name, cell in row.items() if cell != ""} | absent))
    except csv.Error as error:
        raise InputError(f"{path}, line {lines.line_num}: not CSV: {error}") from None
    return rows


def checked(where: Path | str, model: type[Model], value: Any) -> Model:
    """``value`` as a ``model``; InputError, which begins with ``where`` it comes from."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InputError(f"{where}: {first_violation(error)}") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deeply to be read") from None


def first_violation(error: ValidationError, prefix: str = "") -> str:
    """The first thing that is wrong, in one line: key, value, rule."""
    first = error.errors()[0]
    key = ".".join([*([prefix] if prefix else []), *map(str, first["loc"])])
    key = key if key.isprintable() and len(key) <= 2 * SHOWN else shown(key)
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] in ("missing", "extra_forbidden"):
        return f"{key}: {'is required' if first['type'] == 'missing' else 'no such key'}{more}"
    rule = _one_line(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "value_error":  # a validator's own words, which name the value
        return f"{key}: {rule}{more}" if key else f"{rule}{more}"
    return f"{key or 'it'} = {shown(first['input'])}: {rule[0].lower()}{rule[1:]}{more}"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, none of whose keys may occur twice: readers disagree on which one counts."""
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        _refuse(next(name for name in names if names.count(name) > 1))
    return made


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"the key {shown(name)} must occur once")


def _one_line(text: str) -> str:
    return " ".join(text.split())
