"""The state folder of a run: its request, sources and numerics, and whether another request may resume it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError

from pbt_core import RunError
from pbt_core.files import Busy, locked, write_whole
from pbt_core.identity import differences
from pbt_core.leases.log import LOG
from pbt_core.schema import encode
from reproductions.suite.running.provenance import sources_digest
from reproductions.suite.study.inputs import first_violation
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings

Model = TypeVar("Model", bound=BaseModel)


class Request(BaseModel):
    """What a state folder was made for: the settings of its run, and the digest of its sources, which may name a folder."""

    model_config = ConfigDict(extra="forbid", strict=True)

    settings: dict[str, Any]
    sources: str = Field(pattern=r"^[0-9a-f]{16}$")


class Numerics(RootModel[dict[str, Any]]):
    """What the numbers of a state folder depend on beside its request; see ``DomainTask.numerics``."""


def prepare_state(
    settings: Settings, numerics: Mapping[str, Any], out: Path, extend: bool, shared: bool = False
) -> tuple[Path, Request]:
    """The state folder of this request in ``out``, and the request.

    ConfigError if it holds another run, or the run was made with other numerics; RunError if another process runs it. A
    state made by other sources is moved aside, never continued: the sources in the summary made all of the run. shared:
    other processes may be at work in it, which is then no error; a state made by other sources is.
    """
    state = out / "state"
    sources = sources_digest(settings.domain, settings.kind)
    request = Request(settings=settings.model_dump(mode="json", by_alias=True), sources=sources)
    try:
        with locked(state, wait=shared):  # another process may be running in it
            _prepare_locked(state, request, dict(numerics), extend, shared)
    except Busy:
        raise RunError(f"another process is running in {state}") from None
    return state, request


def _prepare_locked(state: Path, requested: Request, numerics: dict[str, Any], extend: bool, shared: bool) -> None:
    request, kept = state / "request.json", state / "numerics.json"
    if request.exists():
        held = _read(request, Request)
        if held.sources == requested.sources:
            may_differ = {"steps", "stop"} if extend else set()
            _must_be_equal(
                held.settings, {k: v for k, v in requested.settings.items() if k not in may_differ}, state.parent
            )
            _must_be_made_alike(_read(kept, Numerics).root, numerics, state.parent)
            return
        if shared:
            raise ConfigError(f"{state} was made by other sources than these: use those, or choose another --out")
        aside = state.with_name(f"state-{held.sources}")
        notice = f"the sources have changed since {state} was made: it is kept as {aside}, the run begins anew"
        print(notice, file=sys.stderr)
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(state, aside)
    elif (state / "events.jsonl").exists() or (state / LOG).exists():
        raise ConfigError(
            f"{state} holds a record but no request.json, so its settings are unknown. Choose another --out"
        )
    state.mkdir(parents=True, exist_ok=True)
    write_json(kept, numerics)  # first: where there is a request there are numerics
    write_request(state, requested)


def requested(out: Path) -> Settings:
    """The settings of the run that was begun in ``out``. ConfigError, in one line, if there is none."""
    path = out / "state" / "request.json"
    if not path.exists():
        raise ConfigError(f"--run {out}: {path} is missing: begin the run with `run ... --engine leased --out {out}`")
    try:
        return Settings.model_validate_json(json.dumps(_read(path, Request).settings), strict=True)
    except ValidationError as error:
        raise ConfigError(f"{path}: settings.{first_violation(error)}") from None


def write_request(state: Path, request: Request) -> None:
    """Write what the state folder was made for."""
    write_json(state / "request.json", request.model_dump())


def _read(path: Path, model: type[Model]) -> Model:
    """The content of a file; ConfigError, in one line, if it is not valid."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def _must_be_equal(held: Mapping[str, Any], requested: Mapping[str, Any], out: Path) -> None:
    for key in requested:
        if held.get(key) != requested[key]:
            raise ConfigError(
                f"{out} holds another run: {key} was {held.get(key)!r} and is {requested[key]!r}. Choose another --out"
            )


def _must_be_made_alike(held: Mapping[str, Any], now: Mapping[str, Any], out: Path) -> None:
    if unlike := differences(dict(held), dict(now)):
        raise ConfigError(
            f"{out} was made with other numerics: {', '.join(unlike)}. Go on as before, or choose another --out"
        )


def write_json(path: Path, data: Any) -> None:
    """Write at once or not at all."""
    write_whole(path, json.dumps(encode(data), indent=1) + "\n")
