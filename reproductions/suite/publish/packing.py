"""Finished runs of a domain in one compressed file, and back: all that figures, tables and verdicts are made from.

A file is xz-compressed JSON lines: for each run a line with its summary (commit, versions, machine, cost, settings), then its
events. Checkpoints are not kept, so their checksums, which are random and would be most of the file, are zeros here; those of
the original files stand beside the summary. Illustrations are kept for the first seed of each method, which is what is drawn.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pbt_core.events import Record as Events
from pbt_core.files import replacing, write_whole
from pbt_core.lineage import Lineage
from pbt_core.schema import Event, RecordError, check, decode, dump
from reproductions.suite.results.illustration import NAME as ILLUSTRATION
from reproductions.suite.results.records import Record
from reproductions.suite.results.schemas import Summary
from reproductions.suite.study.inputs import InputError, checked
from reproductions.suite.study.names import RunName

SUFFIX = ".jsonl.xz"
_NO_DIGEST = "0" * 32
#: A line is at most so long: a summary with its illustration.
_LONGEST_LINE = 50_000_000


def pack(records: Sequence[Record], path: Path) -> None:
    """Write the records of one domain as ``path``, at once or not at all. Equal records, equal bytes."""
    shown: set[tuple[str, ...]] = set()
    with replacing(path) as temporary, lzma.open(temporary, "wt", preset=6, encoding="utf-8") as file:
        for record in sorted(records, key=lambda record: record.name):
            first = record.name.series not in shown
            shown.add(record.name.series)
            file.write(dump(_head(record, first)) + "\n")
            for event in record.events:
                file.write(dump(_without_digests(event)) + "\n")


def _head(record: Record, illustrated: bool) -> dict[str, Any]:
    summary = dict(record.summary)
    head: dict[str, Any] = {"original": summary.pop("digests", None), "events": len(record.events)}
    illustration = record.folder / ILLUSTRATION
    if illustrated and illustration.exists():
        head["illustration"] = base64.b64encode(illustration.read_bytes()).decode()
    return {**head, "summary": summary}


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
    for head, events in _read(path, _event):
        folder = results / RunName.of(head["summary"]).folder
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
    return [head["summary"] for head, _ in _read(path, lambda line: {})]


def _read(path: Path, event: Callable[[str], Event]) -> Iterator[tuple[dict[str, Any], list[Event]]]:
    """The head and the events of each run in a packed file; ``event`` reads one from its line."""
    try:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            while line := file.readline(_LONGEST_LINE):
                head = json.loads(line)
                checked(path, Summary, head["summary"])
                yield head, [event(file.readline(_LONGEST_LINE)) for _ in range(head["events"])]
    except InputError:
        raise
    except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, TypeError, RecordError, RecursionError) as error:
        raise InputError(
            f"{path}: holds no packed runs: {str(error).splitlines()[0] if str(error) else error!r}"
        ) from None


def _event(line: str) -> Event:
    event: Event = decode(json.loads(line))
    check(event)
    return event
