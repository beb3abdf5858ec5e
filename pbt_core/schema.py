"""The schema of a run's record: an append-only list of events, JSON lines while it runs and Parquet at the end.

All that is derived from a run (tables, figures, lineages, resumption) is read from here. Events hold nothing
that depends on time or place: same configuration and seed, same bytes. Times go to a file of their own.

=========  ============================================================================================================
event      fields besides ``event`` (and, but for started, extended and finished, ``member`` and ``step``)
=========  ============================================================================================================
started    format, run (plan, method, space, task, as ``identity.described``): a resumed run must be the same
joined     hyperparameters: those the member begins with
evaluated  score, samples, held_out, metrics, hyperparameters (in force for the interval that ends here), checkpoint
diverged   follows an evaluation whose score is not finite
failed     kind (raised, hung, crashed), error, traceback: the interval that would have ended here did not
cloned     parent, parent_step (the parent's own step when it was seen), weights (whether they were copied), source (their
           checkpoint), age (of the parent's weights), score, samples, history (the parent's), hyperparameters (from now on)
changed    hyperparameters (from now on), without a parent
restarted  hyperparameters, with fresh weights
retried    a failed interval is tried again: the run ended there with an error and was started anew
stopped    the method gave the member up
finished   best (member), step, score, reason (steps, time or score): the run is complete; its answer is what that member was
extended   steps, stop: a finished run goes on, with these in its plan
=========  ============================================================================================================

Each line of ``events.jsonl`` ends with a ``chain``: a checksum of the line and of all lines before it.
"""

from __future__ import annotations

import hashlib
import json
import json.scanner
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pbt_core.compact import compact
from pbt_core.files import opened

Event = dict[str, Any]
"""One event of a record, by its fields: see the table above."""

FORMAT = 4
_strict = compact(allow_nan=False)
#: A checkpoint's digest: it becomes part of a file's name.
DIGEST = re.compile(r"[0-9a-f]{32}")
#: Larger whole numbers are not exact in every reader of JSON and Parquet.
LARGEST = 2**53
_SIMPLE = (float, int, bool, str)
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class RecordError(RuntimeError):
    """The record of a run cannot be used; the message names the file and what is wrong."""


def detached(value: Any) -> Any:
    """A copy of an event, down to what it holds, for whoever may write into it."""
    if value.__class__ is dict:
        return {key: item if item.__class__ in _SIMPLE else detached(item) for key, item in value.items()}
    if value.__class__ is list:
        return [item if item.__class__ in _SIMPLE else detached(item) for item in value]
    return value


# -- JSON ------------------------------------------------------------------------------------------------------------


def encode(value: Any) -> Any:
    """JSON has no infinities and no NaN: they become the strings "inf", "-inf" and "nan" (and back in ``decode``)."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {key: encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    return value


def dump(value: Any) -> str:
    """Strict JSON in one line; the way through ``encode`` is only taken where a number is not finite."""
    try:
        return _strict(value)
    except ValueError:
        return _strict(encode(value))


def decode(event: Event) -> Event:
    """What ``dump`` wrote as it was: not-finite numbers where numbers stand, tuples where choices are tuples."""
    for key in ("score", "held_out"):
        if event.get(key).__class__ is str:
            event[key] = _number(event[key])
    for key in ("samples", "history"):
        if event.get(key).__class__ is list:
            event[key] = [_number(item) for item in event[key]]
    if event.get("metrics").__class__ is dict:
        event["metrics"] = {name: _number(item) for name, item in event["metrics"].items()}
    _restore_choices(event)
    return event


def _restore_choices(event: Event) -> None:
    values = event.get("hyperparameters")
    if values.__class__ is dict:
        for name, value in values.items():
            if value.__class__ is list:
                values[name] = _tuples(value)


def _number(value: Any) -> Any:
    return _NOT_FINITE.get(value, value) if value.__class__ is str else value


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


# -- the schema ------------------------------------------------------------------------------------------------------

Check = Callable[[Any], bool]


def _whole(value: Any) -> bool:
    return value.__class__ is int and 0 <= value <= LARGEST


def _positive(value: Any) -> bool:
    return value.__class__ is int and 1 <= value <= LARGEST


def _real(value: Any) -> bool:
    return value.__class__ is float


def _reals(value: Any) -> bool:
    return value.__class__ is list and all(map(_real, value))


def _text(value: Any) -> bool:
    return value.__class__ is str


def _plain(value: Any) -> bool:
    if value.__class__ is tuple:
        return all(map(_plain, value))
    return value is None or isinstance(value, float | int | str)  # a string enumeration's members are written as texts


def _values(value: Any) -> bool:
    return value.__class__ is dict and all(map(_plain, value.values()))


def _metrics(value: Any) -> bool:
    return value.__class__ is dict and all(map(_real, value.values()))


def is_digest(value: Any) -> bool:
    """Whether ``value`` can be the checksum of a checkpoint."""
    return value.__class__ is str and DIGEST.fullmatch(value) is not None


def _source(value: Any) -> bool:
    return (
        value.__class__ is dict
        and value.keys() == {"member", "step", "digest"}
        and _whole(value["member"])
        and _positive(value["step"])
        and is_digest(value["digest"])
    )


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _among(*values: str) -> Check:
    return lambda value: value in values


_RUN = {"plan", "method", "space", "task"}


def _identity(value: Any) -> bool:
    return value.__class__ is dict and value.keys() == _RUN and all(part.__class__ is dict for part in value.values())


_OF_MEMBER: dict[str, tuple[Check, str]] = {
    "member": (_whole, "a whole number"),
    "step": (_whole, "a whole number"),
}
_SCORE: dict[str, tuple[Check, str]] = {
    "score": (_real, "a number"),
    "samples": (_reals, "a list of numbers"),
    "hyperparameters": (_values, "values by name"),
}
#: By event, each field with its check and the rule in words.
SCHEMA: dict[str, dict[str, tuple[Check, str]]] = {
    "started": {
        "format": (_whole, "a whole number"),
        "run": (_identity, f"an object of {sorted(_RUN)}, each described as an object"),
    },
    "joined": {**_OF_MEMBER, "hyperparameters": _SCORE["hyperparameters"]},
    "evaluated": {
        **_OF_MEMBER,
        "step": (_positive, "a whole number of at least 1"),
        **_SCORE,
        "held_out": (_or_none(_real), "a number or null"),
        "metrics": (_metrics, "numbers by name"),
        "checkpoint": (is_digest, "32 hexadecimal digits"),
    },
    "diverged": _OF_MEMBER,
    "failed": {
        **_OF_MEMBER,
        "kind": (_among("raised", "hung", "crashed"), "raised, hung or crashed"),
        "error": (_text, "text"),
        "traceback": (_text, "text"),
    },
    "cloned": {
        **_OF_MEMBER,
        "parent": (_whole, "a whole number"),
        "parent_step": (_whole, "a whole number"),
        "weights": (lambda value: value.__class__ is bool, "true or false"),
        "source": (_source, "member, step and digest of a checkpoint"),
        "age": (_whole, "a whole number"),
        **_SCORE,
        "history": (_reals, "a list of numbers"),
    },
    "changed": {**_OF_MEMBER, "hyperparameters": _SCORE["hyperparameters"]},
    "restarted": {**_OF_MEMBER, "hyperparameters": _SCORE["hyperparameters"]},
    "retried": _OF_MEMBER,
    "stopped": _OF_MEMBER,
    "finished": {
        "best": (_or_none(_whole), "a whole number or null"),
        "step": (_or_none(_whole), "a whole number or null"),
        "score": (_or_none(_real), "a number or null"),
        "reason": (_among("steps", "time", "score"), "steps, time or score"),
    },
    "extended": {
        "steps": (_positive, "a whole number of at least 1"),
        "stop": (_or_none(lambda value: value.__class__ is dict), "an object or null"),
    },
}
_FIELDS = {kind: {"event", *fields} for kind, fields in SCHEMA.items()}
_CHECKS = {kind: [(name, check) for name, (check, _) in fields.items()] for kind, fields in SCHEMA.items()}


def check(event: Any) -> None:
    """ValueError, naming the field, the value and the rule, unless ``event`` is one of ``SCHEMA``."""
    if event.__class__ is not dict or event.get("event") not in _FIELDS:
        kind = event.get("event") if isinstance(event, dict) else event
        raise ValueError(f"event = {_short(kind)} must be one of {', '.join(SCHEMA)}")
    kind = event["event"]
    if kind == "evaluated" and _is_evaluated(event):  # nearly all of them, so a million are read in seconds
        return
    if kind == "started" and event.get("format") != FORMAT and _whole(event.get("format")):
        raise ValueError(f"the record has format {event['format']}; this version reads {FORMAT}")
    if event.keys() != _FIELDS[kind]:
        missing, more = _FIELDS[kind] - event.keys(), event.keys() - _FIELDS[kind]
        raise ValueError(
            f"{kind}.{min(missing)} is missing" if missing else f"{kind}.{min(more)}: there is no such field"
        )
    for name, holds in _CHECKS[kind]:
        if not holds(event[name]):
            raise ValueError(f"{kind}.{name} = {_short(event[name])} must be {SCHEMA[kind][name][1]}")


def must_be_readable(events: Iterable[Event], path: Path) -> None:
    """RecordError, which names the file and the rule, for events that could be written there, and not be read again."""
    for event in events:
        try:
            check(event)
        except ValueError as error:
            raise RecordError(f"{path}: an event that is none cannot be written: {error}") from None


def _is_evaluated(event: Event) -> bool:
    """Whether an evaluation keeps the schema; written out, which takes a third of the time of going through the table."""
    held_out, checkpoint, values = event.get("held_out"), event.get("checkpoint"), event.get("hyperparameters")
    return (
        len(event) == 8
        and event.get("member").__class__ is int
        and event.get("step").__class__ is int
        and event.get("score").__class__ is float
        and (held_out is None or held_out.__class__ is float)
        and "held_out" in event
        and 0 <= event["member"] <= LARGEST
        and 1 <= event["step"] <= LARGEST
        and checkpoint.__class__ is str
        and DIGEST.fullmatch(checkpoint) is not None
        and values.__class__ is dict
        and all(value.__class__ in _SIMPLE or _plain(value) for value in values.values())
        and _reals(event.get("samples"))
        and _metrics(event.get("metrics"))
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# -- lines -----------------------------------------------------------------------------------------------------------

#: What the chain begins with.
START = "0" * 16
_LINK = b',"chain":"'
_decode: Callable[[str, int], tuple[Any, int]] = json.scanner.make_scanner(json.JSONDecoder())  # type: ignore[arg-type]
_FIRST = re.compile(rb'\{"event":"started","format":(\d{1,9})\b')


def line(event: Event, chain: str) -> tuple[bytes, str]:
    """An event as a line of ``events.jsonl`` after lines that end with ``chain``; the line and the new chain."""
    body = dump(event)[:-1].encode()
    after = _linked(chain, body)
    return b'%b%b%b"}\n' % (body, _LINK, after.encode()), after


def _linked(chain: str, body: bytes) -> str:
    return hashlib.sha256(chain.encode() + body).hexdigest()[:16]


def read_lines(path: Path) -> Iterator[tuple[Event, str, int]]:
    """The events of ``events.jsonl``, each with the chain and the position in the file after it.

    Ends at a torn last line, which a kill may leave. RecordError names the file, the line and the rule for anything that
    ``line`` did not write there: altered, missing, doubled or reordered lines, and events that are none.
    """
    chain, position = START, 0
    try:
        with opened(path) as file:
            for number, text in enumerate(file, start=1):
                if not text.endswith(b"\n"):
                    return
                event, chain = _parsed(text[:-1], chain, path, number)
                position += len(text)
                yield event, chain, position
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None


def _parsed(text: bytes, chain: str, path: Path, number: int) -> tuple[Event, str]:
    body, link, after, end = text[:-28], text[-28:-18], text[-18:-2], text[-2:]
    if number == 1 and (beginning := _FIRST.match(text)) is not None and int(beginning[1]) != FORMAT:
        raise RecordError(f"{path} has format {int(beginning[1])}; this version reads {FORMAT}")
    expected = _linked(chain, body)
    if after != expected.encode() or link != _LINK or end != b'"}':
        what = "it or a line before it is altered, missing or doubled"
        raise RecordError(f"{path}, line {number}: the checksum is not that of the record so far: {what}")
    try:
        content = body.decode() + "}"
        event, length = _decode(content, 0)
        if length != len(content):
            raise ValueError("there is more than one event in the line")
        if b'inf"' in body or b'nan"' in body:
            decode(event)
        elif b"[" in body:
            _restore_choices(event)
        check(event)
    except (ValueError, RecursionError, StopIteration) as error:
        rule = "is no JSON" if isinstance(error, StopIteration) else str(error)
        if isinstance(error, RecursionError):
            rule = "is nested too deeply"
        raise RecordError(f"{path}, line {number}: {rule}") from None
    return event, expected
