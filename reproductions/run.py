"""The composition root: settings in, a finished run with its summary out."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from pbt_core.driver import Observer
from pbt_core.events import Event
from reproductions.provenance import provenance
from reproductions.settings import Settings


def execute(settings: Settings, out: Path, observer: Observer | None = None) -> dict[str, Any]:
    """Run, or resume, in ``out``; leaves ``events.parquet``, ``lineage.json`` and ``summary.json`` there and returns the summary.

    ``out/state`` holds what a resumption needs; the rest appears at the end, each file at once, the summary last.
    Raises ConfigError before any work, RunError or RecordError if the run cannot go on.
    """
    task = settings.build_task()
    engine = settings.build_engine()
    if hasattr(task, "prepare"):
        task.prepare()  # data and whatever else all workers share, before any of them starts
    state = out / "state"
    run = engine.run(task, settings.search.build(), settings.plan(), state, observer)
    run.export(out)
    summary = summarise(settings, run.events, read_timing(state / "timing.jsonl"))
    write_json(out / "summary.json", summary)
    return summary


def summarise(settings: Settings, events: Sequence[Event], timing: Mapping[str, float]) -> dict[str, Any]:
    """What a run came to. ``final`` is the member with the highest last score, ``best`` the highest score ever.

    Each of them was selected by ``score``; ``held_out`` is the number to report where the task has one.
    """
    evaluated = [event for event in events if event["event"] == "evaluated"]
    finished = events[-1]
    final = [event for event in evaluated if event["member"] == finished["best"]][-1:]
    best = max((e for e in evaluated if math.isfinite(e["score"])), key=lambda e: e["score"], default=None)
    counts = {name: sum(e["event"] == name for e in events) for name in ("cloned", "diverged", "failed", "stopped")}
    steps = sum(_lengths(evaluated))
    return {
        "finished": True,
        "domain": settings.domain,
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
