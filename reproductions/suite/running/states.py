"""The state folder of a run: its request, sources and numerics, and whether another request may resume it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator

from pbt_core import RunError
from pbt_core.files import Busy, locked, write_whole
from pbt_core.identity import differences
from pbt_core.leases.heartbeat import at_work
from pbt_core.leases.log import LOG, WORKERS, begun, lease_of
from pbt_core.schema import encode
from reproductions.suite.running.provenance import sources_digest
from reproductions.suite.study.inputs import InputError, read_model, shown
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings, valid

#: Files of a state folder.
REQUEST, NUMERICS, LOCK = "request.json", "numerics.json", "lock"
#: Seconds between two looks at a state that another process holds.
LOOK_EVERY = 0.1
#: Bytes that hold the last line of a finished record.
LAST_LINE = 4096


class Request(BaseModel):
    """What a state folder was made for: the settings of its run, and the digest of its sources, which may name a folder.

    ``written`` is the digest of the settings as they were written; older ones have none.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    settings: dict[str, Any]
    sources: str = Field(pattern=r"^[0-9a-f]{16}$")
    written: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the settings."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    @model_validator(mode="after")
    def _is_as_written(self) -> Request:
        if self.written is not None and self.written != self.digest:
            raise ValueError("settings: are not those that were written, whose digest is 'written': put them back")
        return self


class Numerics(RootModel[dict[str, Any]]):
    """What the numbers of a state folder depend on beside its request; see ``DomainTask.numerics``."""


def prepare_state(
    settings: Settings, numerics: Mapping[str, Any], out: Path, extend: bool, shared: bool = False
) -> tuple[Path, Request]:
    """The state folder of this request in ``out``, and the request.

    ConfigError if it holds another run, or the run was made with other numerics; RunError if another process runs it. A
    state made by other sources is put aside, never continued: the sources in the summary made all of the run. It is gone on
    with when its own sources are back. shared: other processes may be at work in it without a coordinator, which is then no
    error; a state made by other sources is.
    """
    state = out / "state"
    sources = sources_digest(settings.domain, settings.kind)
    request = Request(settings=settings.model_dump(mode="json", by_alias=True), sources=sources)
    asked = _Asked(request, dict(numerics), frozenset({"steps", "stop"} if extend else ()))
    try:
        with _held_alone(state, shared):
            _prepare_locked(state, asked, shared)
    except Busy:
        raise RunError(f"another process is running in {state}") from None
    return state, request


@contextlib.contextmanager
def _held_alone(state: Path, shared: bool) -> Iterator[None]:
    """Hold the state. Busy where another process runs in it.

    shared: wait for one that only prepares it, or writes the summary, as each of the run's workers does.
    """
    while True:
        with contextlib.ExitStack() as opened:
            try:
                opened.enter_context(locked(state))
            except Busy:
                if not shared or _is_coordinated(state):
                    raise
                time.sleep(LOOK_EVERY)
                continue
            yield
            return


def _is_coordinated(state: Path) -> bool:
    """Whether there is the record of a run with a coordinator which is not finished."""
    record = state / "events.jsonl"
    if begun(state) or not record.is_file():
        return False
    with record.open("rb") as file:
        file.seek(max(0, record.stat().st_size - LAST_LINE))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    return not last.startswith(b'{"event":"finished"')


@dataclass(frozen=True)
class _Asked:
    """What a state must be of to be gone on with; the settings of ``may_differ`` aside."""

    request: Request
    numerics: dict[str, Any]
    may_differ: frozenset[str]

    def check(self, state: Path) -> None:
        """ConfigError unless ``state``, which these sources have made, is of this very run."""
        held, numerics = read_model(state / REQUEST, Request), read_model(state / NUMERICS, Numerics).root
        for key, value in self.request.settings.items():
            if key not in self.may_differ and held.settings.get(key) != value:
                raise ConfigError(
                    f"{state.parent} holds another run: {_difference(key, held.settings.get(key), value)}. Choose another --out"
                )
        if unlike := differences(numerics, self.numerics):
            raise ConfigError(
                f"{state.parent} was made with other numerics: {', '.join(unlike)}. Go on as before, or choose another --out"
            )


def _difference(key: str, held: Any, asked: Any) -> str:
    """Where two values at ``key`` differ first, in words."""
    if isinstance(held, dict) and isinstance(asked, dict):
        name = next(name for name in {**held, **asked} if held.get(name, ...) != asked.get(name, ...))
        return _difference(f"{key}.{name}", held.get(name, "not there"), asked.get(name, "not there"))
    return f"{key} was {shown(held)} and is {shown(asked)}"


def _prepare_locked(state: Path, asked: _Asked, shared: bool) -> None:
    if (state / REQUEST).exists():
        held = read_model(state / REQUEST, Request).sources
        if held == asked.request.sources:
            asked.check(state)
            return
        if shared:
            raise ConfigError(f"{state} was made by other sources than these: use those, or choose another --out")
        if (lease := lease_of(state)) is not None and at_work(state / WORKERS, lease):
            raise RunError(f"workers without a coordinator are at work in {state}, which other sources have made")
        aside = next(place for place in _asides(state, held) if not os.path.lexists(place))
        os.replace(state, aside)
        notice = f"the sources have changed since {state} was made: it is kept as {aside}, the run"
        print(notice, "begins anew" if _kept(state, asked) is None else "goes on from an earlier one", file=sys.stderr)
    elif (state / "events.jsonl").exists() or (state / LOG).exists():
        raise ConfigError(f"{state} holds a record but no {REQUEST}, so its settings are unknown. Choose another --out")
    if (before := _kept(state, asked)) is not None:
        for name in (LOCK, NUMERICS):
            (state / name).unlink(missing_ok=True)
        os.replace(before, state)  # onto an empty folder, or none
        return
    state.mkdir(parents=True, exist_ok=True)
    write_json(state / NUMERICS, asked.numerics)  # first: where there is a request there are numerics
    write_request(state, asked.request)


def _asides(state: Path, sources: str) -> Iterator[Path]:
    """The names under which states that these sources have made are put aside, one after another."""
    yield state.with_name(f"{state.name}-{sources}")
    for number in count(2):
        yield state.with_name(f"{state.name}-{sources}-{number}")


def _kept(state: Path, asked: _Asked) -> Path | None:
    """The state of this very run that was put aside last, if there is one."""
    found = None
    for place in takewhile(os.path.lexists, _asides(state, asked.request.sources)):
        with contextlib.suppress(ConfigError):  # of another run, or damaged: it stays where it is
            asked.check(place)
            found = place
    return found


def requested(out: Path) -> Settings:
    """The settings of the run that was begun in ``out``. ConfigError, in one line, if none can be run."""
    path = out / "state" / REQUEST
    if not path.exists():
        raise ConfigError(f"--run {out}: {path} is missing: begin the run with `run ... --engine leased --out {out}`")
    try:
        return valid(read_model(path, Request).settings)
    except InputError:
        raise
    except ConfigError as error:
        raise ConfigError(f"{path}: settings: {error}") from None


def write_request(state: Path, request: Request) -> None:
    """Write what the state folder was made for."""
    write_json(state / REQUEST, request.model_dump() | {"written": request.digest})


def write_json(path: Path, data: Any) -> None:
    """Write at once or not at all."""
    write_whole(path, json.dumps(encode(data), indent=1) + "\n")
