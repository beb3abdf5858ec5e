"""Finished runs of a domain in one compressed file, and back: all that figures, tables and verdicts are made from.

A file is xz-compressed JSON lines, two a run: its summary (commit, versions, machine, cost, settings), then its events in
columns (``columns``). Runs of one seed stand together, since methods that begin with the same members share numbers.
Checkpoints are not kept, so their checksums, which are random and would be most of the file, are zeros here; those of
the original files stand beside the summary. Illustrations are kept for the first seed of each method, which is what is drawn.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import lzma
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from pbt_core.events import Record as Events
from pbt_core.files import replacing
from pbt_core.lineage import Lineage
from pbt_core.schema import Event, RecordError, check, decode, dump
from reproductions.suite.publish.columns import from_columns, to_columns
from reproductions.suite.results.illustration import NAME as ILLUSTRATION
from reproductions.suite.results.illustration import read_illustration
from reproductions.suite.results.records import Record, read_record
from reproductions.suite.results.schemas import Digests, Document, Summary
from reproductions.suite.study.inputs import InputError, checked, parsed_json, read_bytes, shown
from reproductions.suite.study.names import RunName
from reproductions.suite.study.registry import ConfigError

SUFFIX = ".jsonl.xz"
FORMAT = 2
_NO_DIGEST = "0" * 32
#: What reading columns that are none of events raises.
_NO_EVENTS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    ArithmeticError,
    StopIteration,
    RecordError,
    RecursionError,
)
#: A line is at most so long: a summary with its illustration.
_LONGEST_LINE = 50_000_000


def _decoded(text: str) -> bytes:
    """The bytes of base64 text; ValueError for any other."""
    return base64.b64decode(text, validate=True)


def _is_base64(text: str) -> str:
    try:
        _decoded(text)
    except ValueError as error:  # such as a letter that is not ASCII
        raise ValueError(f"{shown(text)} must be base64: {error}") from None
    return text


class Head(Document):
    """The first line of a run."""

    format: Literal[2]
    original: Digests | None
    illustration: Annotated[str, AfterValidator(_is_base64)] = ""
    summary: Summary


#: What a summary has checksums of.
_FILES = [str(field.alias) for field in Digests.model_fields.values()]


def pack(records: Sequence[Record], path: Path) -> None:
    """Write the records of one domain as ``path``, at once or not at all. Equal records, equal bytes.

    Runs that are in ``path`` already stay in it, but for those that are among the ``records``. One that was restored from there
    keeps the checksums of its original files. InputError if it is no such file.
    """
    made_again = {record.name for record in records}
    is_there = os.path.lexists(path)
    heads = {_name(head): head for head, _ in contents(path)} if is_there else {}
    former = ((head, line) for head, line in contents(path) if _name(head) not in made_again) if is_there else ()
    ordered = sorted(records, key=lambda record: _place(record.name))
    new = ((_head(record, heads.get(record.name)), _events(record)) for record in ordered)
    shown: set[tuple[str, ...]] = set()
    with replacing(path) as temporary, lzma.open(temporary, "wt", preset=6, encoding="utf-8") as file:
        for head, line in merge(new, former, key=lambda run: _place(_name(run[0]))):
            if (series := _name(head).series) in shown:
                head.pop("illustration", None)
            shown.add(series)
            file.write(f"{dump(head)}\n{line}\n")


def _name(head: Mapping[str, Any]) -> RunName:
    return RunName.of(head["summary"])


def _place(name: RunName) -> tuple[Any, ...]:
    """Where a run stands in a file: beside the others of its seed."""
    return name.scale, name.domain, name.problem, name.seed, name.method, name.variant


def _head(record: Record, former: Mapping[str, Any] | None) -> dict[str, Any]:
    summary = dict(record.summary)
    original = summary.pop("digests", None)
    if former is not None and former["summary"] == summary:  # restored: its files are others, its events the same
        original = former["original"]
    head: dict[str, Any] = {"format": FORMAT, "original": original}
    if os.path.lexists(illustration := record.folder / ILLUSTRATION):
        read_illustration(record.folder)  # refuses what is none
        head["illustration"] = base64.b64encode(read_bytes(illustration)).decode()
    return {**head, "summary": summary}


def _events(record: Record) -> str:
    return dump(to_columns(map(_without_digests, record.events)))


def _without_digests(event: Event) -> Event:
    if "checkpoint" in event and event["checkpoint"] is not None:
        event = {**event, "checkpoint": _NO_DIGEST}
    if event.get("source"):
        event = {**event, "source": {**event["source"], "digest": _NO_DIGEST}}
    return event


def unpack(path: Path, results: Path, is_wanted: Callable[[RunName], bool] = lambda name: True) -> list[RunName]:
    """Write the runs in a packed file below the folder ``results``, unless they are not wanted; returns the names of all.

    InputError for a file that is not one, and for a run in it that no run can have left.
    """
    names: dict[RunName, None] = {}
    for head, line in contents(path):
        name = _name(head)
        if name in names:
            raise InputError(f"{path}: the run {name.folder} must occur once")
        names[name] = None
        if is_wanted(name):
            _write(path, head, line, results / name.folder)
    return list(names)


def _write(path: Path, head: Mapping[str, Any], line: str, folder: Path) -> None:
    """Write a run of the file ``path`` to a folder, and look at it as at any other that is read."""
    where = f"{path}: {_name(head).folder}"
    try:
        record = Events(_run(parsed_json(where, line)))
        lineage = Lineage(record)
        folder.mkdir(parents=True)
        record.write_parquet(folder / "events.parquet")
        lineage.write(folder / "lineage.json")
    except InputError:
        raise
    except _NO_EVENTS as error:
        raise InputError(f"{where}: holds no events: {_first_line(error)}") from None
    digests = {name: hashlib.sha256(read_bytes(folder / name)).hexdigest() for name in _FILES}
    (folder / "summary.json").write_text(json.dumps({**head["summary"], "digests": digests}, indent=1) + "\n")
    if "illustration" in head:
        (folder / ILLUSTRATION).write_bytes(_decoded(head["illustration"]))
    try:
        read_record(folder)
        if "illustration" in head:
            read_illustration(folder)
    except ConfigError as error:
        raise InputError(f"{where}: {str(error).replace(f'{folder}/', '')}") from None


def summaries(path: Path) -> list[dict[str, Any]]:
    """The summaries of the runs in a packed file, whose events are not looked at. InputError if it is not one."""
    return [head["summary"] for head, _ in contents(path)]


def contents(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The head of each run in a packed file, and its events as they stand there. InputError if it is not one."""
    try:
        with io.TextIOWrapper(lzma.LZMAFile(io.BytesIO(read_bytes(path))), encoding="utf-8") as file:
            while line := file.readline(_LONGEST_LINE):
                head = parsed_json(path, line)
                if (found := head.get("format") if isinstance(head, dict) else None) != FORMAT:
                    raise InputError(f"{path}: has format {shown(found)}; this version reads {FORMAT}")
                checked(path, Head, head)
                yield head, file.readline(_LONGEST_LINE).rstrip("\n")
    except (EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: holds no packed runs: {_first_line(error)}") from None


def _run(columns: Any) -> list[Event]:
    events = []
    for columns_of_event in from_columns(columns):
        events.append(decode(columns_of_event))
        check(events[-1])
    return events


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)
