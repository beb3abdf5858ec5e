"""The composition root: settings in, a finished run with its summary out."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.numpy import save_file

from pbt_core import Run, RunError, Stream
from pbt_core.events import read
from pbt_core.files import Busy, locked, replacing, write_whole
from pbt_core.journal import Observer, read_timing, sessions
from pbt_core.schema import Event, encode
from reproductions.suite.running.provenance import provenance, sources_digest
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings

#: Files of a run whose digests its summary holds: a summary and a record of different runs are found out.
DIGESTED = ("events.parquet", "lineage.json")
#: Makes the observer of a run, given the events of earlier sessions.
Showing = Callable[[Sequence[Event]], AbstractContextManager[Observer | None]]


def execute(
    settings: Settings, out: Path, showing: Showing = lambda earlier: nullcontext(), extend: bool = False
) -> dict[str, Any]:
    """Run, or resume, in ``out``; returns the summary. ``extend`` lets a finished run go on to more steps.

    Leaves ``events.parquet``, ``lineage.json`` and ``summary.json``, each written at once, the summary last; ``out/state``
    holds what a resumption needs.
    Raises ConfigError before any work, RunError or RecordError if the run cannot go on.
    """
    task = settings.build_task()
    engine = settings.build_engine()
    if hasattr(task, "prepare"):
        task.prepare(settings.plan())  # data and whatever else all workers share, before any of them starts
    state, request = _claim(settings, out, extend)
    record = state / "events.jsonl"
    with showing(read(record) if record.exists() else []) as observer:
        run = engine.run(task, settings.build_method(), settings.plan(), state, observer, extend=extend)
    write_json(state / "request.json", request)  # of an extended run it says more steps from now on
    run.export(out)
    if hasattr(task, "illustrate") and run.best is not None:
        pictures = task.illustrate(run.state(task), Stream(settings.seed).child("illustrate"))
        with replacing(out / "illustration.safetensors") as temporary:
            save_file(pictures, temporary)
    described = {"described": task.describe()} if hasattr(task, "describe") else {}
    digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in DIGESTED}
    summary = (
        described
        | summarise(settings, run, state / "timing.jsonl")
        | {"digests": digests, "sources": request["sources"]}
    )
    write_json(out / "summary.json", summary)
    return summary


def _claim(settings: Settings, out: Path, extend: bool) -> tuple[Path, dict[str, Any]]:
    """The state folder of this very request, and the request. ConfigError if it holds another, RunError if it is at work.

    A state made by other sources is moved aside, never mixed with: what ran is what the summary says.
    """
    state = out / "state"
    # How the work is carried out does not change what is asked for.
    asked = settings.model_dump(mode="json", by_alias=True, exclude={"engine", "workers", "timeout"})
    sources = sources_digest(settings.domain)
    try:
        with locked(state):  # it may be that of a run that goes on at this moment
            _claim_locked(state, asked, sources, extend)
    except Busy:
        raise RunError(f"another process is running in {state}") from None
    return state, {"settings": asked, "sources": sources}


def _claim_locked(state: Path, asked: dict[str, Any], sources: str, extend: bool) -> None:
    request = state / "request.json"
    if request.exists():
        held = _read_request(request)
        if held.sources == sources:
            may_differ = {"steps", "stop"} if extend else set()
            _must_be_equal(held.settings, {k: v for k, v in asked.items() if k not in may_differ}, state.parent)
            return
        aside = state.with_name(f"state-{held.sources}")
        told = f"the sources have changed since {state} was made: it is kept as {aside}, the run begins anew"
        print(told, file=sys.stderr)
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(state, aside)
    elif (state / "events.jsonl").exists():
        raise ConfigError(
            f"{state} holds a record but no request.json: nobody can tell what it is of. Choose another --out"
        )
    state.mkdir(parents=True, exist_ok=True)
    write_json(request, {"settings": asked, "sources": sources})


class _Request(BaseModel):
    """What a state folder is of: the settings of its run, and the digest of the sources, which becomes part of a name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    settings: dict[str, Any]
    sources: str = Field(pattern=r"^[0-9a-f]{16}$")


def _read_request(path: Path) -> _Request:
    """ConfigError, in one line, for a file that is none."""
    try:
        return _Request.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {key}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


def _must_be_equal(held: Mapping[str, Any], asked: Mapping[str, Any], out: Path) -> None:
    for key in asked:
        if held.get(key) != asked[key]:
            raise ConfigError(
                f"{out} holds another run: {key} was {held.get(key)!r} and is {asked[key]!r}. Choose another --out"
            )


def summarise(settings: Settings, run: Run, timing: Path) -> dict[str, Any]:
    """What a run came to. ``final`` is the run's answer, the highest score at the end of a training; ``best`` the highest ever.

    Each of them was selected by ``score``; ``held_out`` is the number to report where the task has one.
    """
    record = run.record
    finished = record.others("finished")[-1]
    final = None if finished["best"] is None else record.row(finished["best"], finished["step"])
    scores = np.where(np.isfinite(record.scores), record.scores, -np.inf)
    best = int(np.argmax(scores)) if np.isfinite(scores).any() else None
    counts = {name: len(record.others(name)) for name in ("cloned", "diverged", "failed", "stopped")}
    return {
        "finished": True,
        "domain": settings.domain,
        "problem": settings.problem,
        "method": settings.method,
        "variant": settings.variant,
        "seed": settings.seed,
        "scale": settings.scale,
        "final": None if final is None else _told(record.evaluation(final)),
        "best": None if best is None else _told(record.evaluation(best)),
        "budget_steps": settings.population * settings.steps,
        "member_steps": sum(record.last_steps().values()),
        **counts,
        **times(timing),
        "settings": settings.model_dump(mode="json", by_alias=True),
        **provenance(settings.domain),
    }


def _told(event: Event) -> dict[str, Any]:
    keys = ("member", "step", "score", "held_out", "metrics", "hyperparameters")
    return {key: event[key] for key in keys}


def times(path: Path) -> dict[str, Any]:
    """Seconds spent on a run: CPU by part of the recorded intervals, wall by session; when it began and ended (Unix s)."""
    rows = list(read_timing(path))
    parts = ("train_s", "evaluate_s", "save_s", "cpu_s")
    when = [row["at"] for row in rows if isinstance(row.get("at"), int | float)]
    return {
        "wall_s": round(sum(sessions(path).values()), 3),
        **{part: round(sum(row.get(part, 0.0) for row in rows), 3) for part in parts},
        "begun": min(when, default=None),
        "ended": max(when, default=None),
    }


def write_json(path: Path, data: Any) -> None:
    """Write at once or not at all."""
    write_whole(path, json.dumps(encode(data), indent=1) + "\n")
