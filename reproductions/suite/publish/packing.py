"""Finished runs of a domain in one compressed file, and back: all that figures, tables and verdicts are made from.

A file is xz-compressed JSON lines, two a run: its summary (commit, versions, machine, cost, settings), then its events in
columns (``columns``). Runs of one seed stand together, since methods that begin with the same members share numbers.
Checkpoints are not kept, so their checksums, which are random and would be most of the file, are zeros here; those of
the original files stand beside the summary. Illustrations are kept for the first seed of each method, which is what is drawn.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import merge
from pathlib import Path
from typing import Any, TypeVar

from pbt_core.events import Record as Events
from pbt_core.files import replacing, write_whole
from pbt_core.lineage import Lineage
from pbt_core.schema import Event, RecordError, check, decode, dump
from reproductions.suite.publish.columns import from_columns, to_columns
from reproductions.suite.results.illustration import NAME as ILLUSTRATION
from reproductions.suite.results.records import Record
from reproductions.suite.results.schemas import Summary
from reproductions.suite.study.inputs import InputError, checked
from reproductions.suite.study.names import RunName

SUFFIX = ".jsonl.xz"
FORMAT = 2
_NO_DIGEST = "0" * 32
#: A line is at most so long: a summary with its illustration.
_LONGEST_LINE = 50_000_000


def pack(records: Sequence[Record], path: Path) -> None:
    """Write the records of one domain as ``path``, at once or not at all. Equal records, equal bytes.

    Runs that are in ``path`` already stay in it, but for those that are among the ``records``. One that was restored from there
    keeps the checksums of its original files. InputError if it is no such file.
    """
    made_again = {record.name for record in records}
    heads = {_name(head): head for head, _ in contents(path)} if path.exists() else {}
    former = ((head, line) for head, line in contents(path) if _name(head) not in made_again) if path.exists() else ()
    ordered = sorted(records, key=lambda record: _place(record.name))
    new = ((_head(record, heads.get(record.name)), _events(record)) for record in ordered)
    shown: set[tuple[str, ...]] = set()
    with replacing(path) as temporary, lzma.open(temporary, "wt", preset=6, encoding="utf-8") as file:
        for head, line in merge(new, former, key=lambda run: _place(_name(run[0]))):
            if (series := _name(head).series) in shown:
                head.pop("illustration", None)
            shown.add(series)
            file.write(f"{dump(head)}\n{line}\n")


def _name(head: dict[str, Any]) -> RunName:
    return RunName.of(head["summary"])


def _place(name: RunName) -> tuple[Any, ...]:
    """Where a run stands in a file: beside the others of its seed."""
    return name.scale, name.domain, name.problem, name.seed, name.method, name.variant


def _head(record: Record, former: Mapping[str, Any] | None) -> dict[str, Any]:
    summary = dict(record.summary)
    original = summary.pop("digests", None)
    if original is None and former is not None and former["summary"] == summary:
        original = former["original"]
    head: dict[str, Any] = {"format": FORMAT, "original": original}
    illustration = record.folder / ILLUSTRATION
    if illustration.exists():
        head["illustration"] = base64.b64encode(illustration.read_bytes()).decode()
    return {**head, "summary": summary}


def _events(record: Record) -> str:
    return dump(to_columns(map(_without_digests, record.events)))


def _without_digests(event: Event) -> Event:
    if "checkpoint" in event and event["checkpoint"] is not None:
        event = {**event, "checkpoint": _NO_DIGEST}
    if event.get("source"):
        event = {**event, "source": {**event["source"], "digest": _NO_DIGEST}}
    return event


def unpack(path: Path, results: Path) -> list[Path]:
    """Write the runs in a packed file below the folder ``results``; returns their folders. InputError if it is not one.

    A finished run that is there already stays as it is.
    """
    folders = []
    for head, events in _read(path, _run):
        folder = results / _name(head).folder
        folders.append(folder)
        if (folder / "summary.json").exists():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        record = Events(events)
        record.write_parquet(folder / "events.parquet")
        Lineage(record).write(folder / "lineage.json")
        if "illustration" in head:
            with replacing(folder / ILLUSTRATION) as temporary:
                temporary.write_bytes(base64.b64decode(head["illustration"], validate=True))
        # Last: a folder with a summary holds a finished run.
        write_whole(folder / "summary.json", json.dumps(head["summary"], indent=1) + "\n")
    return folders


def summaries(path: Path) -> list[dict[str, Any]]:
    """The summaries of the runs in a packed file, whose events are not looked at. InputError if it is not one."""
    return [head["summary"] for head, _ in contents(path)]


def contents(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The head of each run in a packed file, and its events as they stand there. InputError if it is not one."""
    return _read(path, lambda line: line)


Content = TypeVar("Content")


def _read(path: Path, content: Callable[[str], Content]) -> Iterator[tuple[dict[str, Any], Content]]:
    """The head of each run in a packed file, and what ``content`` makes of the line with its events."""
    try:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            while line := file.readline(_LONGEST_LINE):
                head = json.loads(line)
                if head.get("format") != FORMAT:
                    raise InputError(f"{path}: has format {head.get('format')}; this version reads {FORMAT}")
                checked(path, Summary, head["summary"])
                yield head, content(file.readline(_LONGEST_LINE).rstrip("\n"))
    except InputError:
        raise
    except (
        OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecordError,
        RecursionError,
    ) as error:  # fmt: skip
        raise InputError(
            f"{path}: holds no packed runs: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from None


def _run(line: str) -> list[Event]:
    events = []
    for columns_of_event in from_columns(json.loads(line)):
        events.append(decode(columns_of_event))
        check(events[-1])
    return events
