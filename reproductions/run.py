"""The composition root: settings in, a finished run with its summary out."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

from safetensors.numpy import save_file

from pbt_core.driver import Observer
from pbt_core.events import Event, read
from pbt_core.seeds import Stream
from reproductions.provenance import provenance, sources_digest
from reproductions.registry import ConfigError
from reproductions.settings import Settings

#: Makes the observer of a run, given the events of earlier sessions.
Showing = Callable[[list[Event]], AbstractContextManager[Observer | None]]


def execute(settings: Settings, out: Path, showing: Showing = lambda earlier: nullcontext()) -> dict[str, Any]:
    """Run, or resume, in ``out``; returns the summary.

    Leaves ``events.parquet``, ``lineage.json`` and ``summary.json``, each written at once, the summary last; ``out/state``
    holds what a resumption needs.
    Raises ConfigError before any work, RunError or RecordError if the run cannot go on.
    """
    task = settings.build_task()
    engine = settings.build_engine()
    if hasattr(task, "prepare"):
        task.prepare(settings.plan())  # data and whatever else all workers share, before any of them starts
    state = _claim(settings, out)
    record = state / "events.jsonl"
    with showing(read(record) if record.exists() else []) as observer:
        run = engine.run(task, settings.search.build(), settings.plan(), state, observer)
    run.export(out)
    if hasattr(task, "illustrate") and run.best is not None:
        pictures = task.illustrate(run.state(task), Stream(settings.seed).child("illustrate"))
        save_file(pictures, out / "illustration.safetensors")
    described = {"described": task.describe()} if hasattr(task, "describe") else {}
    summary = described | summarise(settings, run.events, read_timing(state / "timing.jsonl"))
    write_json(out / "summary.json", summary)
    return summary


def _claim(settings: Settings, out: Path) -> Path:
    """The state folder of this very request. ConfigError if ``out`` holds another one.

    A state made by other sources is moved aside, never mixed with: what ran is what the summary says.
    """
    state = out / "state"
    request = state / "request.json"
    # How the work is carried out does not change what is asked for.
    asked = settings.model_dump(mode="json", by_alias=True, exclude={"engine", "workers", "timeout"})
    sources = sources_digest(settings.domain)
    if request.exists():
        held = json.loads(request.read_text())
        if held["sources"] != sources:
            aside = out / f"state-{held['sources']}"
            print(
                f"the sources have changed since {state} was made: it is kept as {aside}, the run begins anew",
                file=sys.stderr,
            )
            shutil.rmtree(aside, ignore_errors=True)
            os.replace(state, aside)
        else:
            _must_be_equal(held["settings"], asked, out)
    state.mkdir(parents=True, exist_ok=True)
    write_json(request, {"settings": asked, "sources": sources})
    return state


def _must_be_equal(held: Mapping[str, Any], asked: Mapping[str, Any], out: Path) -> None:
    for key in asked:
        if held.get(key) != asked[key]:
            raise ConfigError(
                f"{out} holds another run: {key} was {held.get(key)!r} and is {asked[key]!r}. Choose another --out"
            )


def summarise(settings: Settings, events: Sequence[Event], timing: Mapping[str, float]) -> dict[str, Any]:
    """What a run came to. ``final`` is the run's answer, the highest score at the end of a training; ``best`` the highest ever.

    Each of them was selected by ``score``; ``held_out`` is the number to report where the task has one.
    """
    evaluated = [event for event in events if event["event"] == "evaluated"]
    finished = events[-1]
    final = [e for e in evaluated if (e["member"], e["step"]) == (finished["best"], finished["step"])]
    best = max((e for e in evaluated if math.isfinite(e["score"])), key=lambda e: e["score"], default=None)
    counts = {name: sum(e["event"] == name for e in events) for name in ("cloned", "diverged", "failed", "stopped")}
    steps = sum(_lengths(evaluated))
    return {
        "finished": True,
        "domain": settings.domain,
        "problem": settings.problem,
        "method": settings.method,
        "variant": settings.variant,
        "seed": settings.seed,
        "scale": settings.scale,
        "final": _told(final[0]) if final else None,
        "best": _told(best) if best else None,
        "budget_steps": settings.population * settings.steps,
        "member_steps": steps,
        **counts,
        **timing,
        "settings": settings.model_dump(mode="json", by_alias=True),
        **provenance(settings.domain),
    }


def _told(event: Event) -> dict[str, Any]:
    keys = ("member", "step", "score", "held_out", "metrics", "hyperparameters")
    return {key: event[key] for key in keys}


def _lengths(evaluated: Sequence[Event]) -> list[int]:
    """Steps of each evaluated interval."""
    last: dict[int, int] = {}
    lengths = []
    for event in evaluated:
        lengths.append(event["step"] - last.get(event["member"], 0))
        last[event["member"]] = event["step"]
    return lengths


def read_timing(path: Path) -> dict[str, float]:
    """Seconds spent on a run: CPU by part of the recorded intervals, and wall from each session's first line to its last."""
    rows = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
    parts = ("train_s", "evaluate_s", "save_s", "cpu_s")
    wall = sum(later["at"] - row["at"] for row, later in pairwise(rows) if "session" not in later)
    return {"wall_s": round(wall, 3), **{part: round(sum(row.get(part, 0.0) for row in rows), 3) for part in parts}}


def write_json(path: Path, data: Any) -> None:
    """Write at once or not at all."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(temporary, path)
