"""The composition root: settings in, a finished run with its summary out."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from pbt_core import Run, Stream, Worker
from pbt_core.engines.base import threads_limited
from pbt_core.engines.worker import acting_as
from pbt_core.events import read
from pbt_core.files import locked
from pbt_core.journal import Observer, read_timing, sessions
from pbt_core.schema import Event, encode
from reproductions.suite.results.schemas import Summary
from reproductions.suite.running import final
from reproductions.suite.running.accelerators import accelerator_names
from reproductions.suite.running.execution import Execution, resolve_execution
from reproductions.suite.running.provenance import provenance
from reproductions.suite.running.states import Request, prepare_state, write_json, write_request
from reproductions.suite.study.inputs import InputError, checked, read_json, read_model
from reproductions.suite.study.names import PARTS
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings

#: Files of a run whose digests its summary holds: a summary beside the record of another run is detected.
DIGESTED = ("events.parquet", "lineage.json")
SUMMARY = "summary.json"
#: Makes the observer of a run, given the events of earlier sessions.
Showing = Callable[[Sequence[Event]], AbstractContextManager[Observer | None]]


def execute(
    settings: Settings,
    out: Path,
    showing: Showing = lambda earlier: nullcontext(),
    extend: bool = False,
    execution: Execution | None = None,
) -> dict[str, Any]:
    """Run, or resume, in ``out``; returns the summary. ``extend`` lets a finished run go on to more steps.

    execution: None for what the domain's scale declares. A run may be resumed with another one if its numerics are equal.
    Leaves ``events.parquet``, ``lineage.json`` and ``summary.json``, each written at once, the summary last; ``out/state``
    holds what a resumption needs.
    Raises ConfigError before any work, RunError or RecordError if the run cannot go on.
    """
    execution = execution or resolve_execution(settings.domain, settings.scale)
    execution.check(settings)
    _must_be_of(settings, out)
    task = settings.build_task()
    accelerators = accelerator_names(execution.device, task.devices)
    engine = execution.build_engine(accelerators)
    task.prepare(settings.plan())
    # Here, too, the task computes as in a worker: its numerics now, its final report after the run. The order of sums, and so
    # their last bits, may change with the threads, and with members trained as one program.
    place = Worker(0, 1, accelerators[:1])
    with acting_as(place):
        numerics = {**task.numerics(), "threads": execution.threads, "form": execution.form}
    state, request = prepare_state(settings, numerics, out, extend, execution.shared)
    record = state / "events.jsonl"
    with showing(read(record) if record.exists() and not execution.shared else []) as observer:
        run = engine.run(task, settings.build_method(), settings.plan(), state, observer, extend=extend)
    with locked(state, wait=True) if execution.shared else nullcontext():
        if execution.shared and (written := _written(out, request)) is not None:
            return written  # by another worker of the run
        write_request(state, request)  # of an extended run it says more steps from now on
        run.export(out)
        seed = Stream(settings.seed)
        with threads_limited(execution.threads), acting_as(place):
            reported = final.report(task, run, seed.child("report"))
            final.illustrate(task, run, seed.child("illustrate"), out / "illustration.safetensors")
        described = task.describe()
        digests = {name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in DIGESTED}
        summary = {
            **({"described": described} if described else {}),
            **summarise(settings, run, state / "timing.jsonl", reported),
            "execution": execution.model_dump(mode="json"),
            "numerics": numerics,
            "digests": digests,
            "sources": request.sources,
        }
        checked(out / SUMMARY, Summary, json.loads(json.dumps(encode(summary))))
        write_json(out / SUMMARY, summary)
    return summary


def _must_be_of(settings: Settings, out: Path) -> None:
    """ConfigError where ``out`` holds the summary of another run, which would be lost. A damaged one is no loss."""
    try:
        summary = read_model(out / SUMMARY, Summary)
    except InputError:
        return
    for part in PARTS:
        if (held := getattr(summary, part)) != (asked := getattr(settings, part)):
            raise ConfigError(f"{out} holds another run: {part} was {held!r} and is {asked!r}. Choose another --out")


def _written(out: Path, request: Request) -> dict[str, Any] | None:
    """The summary in ``out`` if it is of this very run, and whole."""
    with contextlib.suppress(InputError):
        summary: dict[str, Any] = read_json(out / SUMMARY)
        checked(out / SUMMARY, Summary, summary)
        same = summary["settings"] == request.settings and summary["sources"] == request.sources
        return summary if same else None
    return None


def summarise(settings: Settings, run: Run, timing: Path, reported: Mapping[str, Any] | None) -> dict[str, Any]:
    """The results of a run. ``final``: its answer, the highest score at the end of a training; ``best``: the highest of all.

    Each of them was selected by ``score``; ``held_out`` is the number to report where the task has one, and of ``final``
    what the task ``reported`` after the run if it did. The costs are those of training alone: the report has its own.
    """
    record = run.record
    finished = record.others("finished")[-1]
    answer = None if finished["best"] is None else record.row(finished["best"], finished["step"])
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
        "final": None if answer is None else {**_evaluation(record.evaluation(answer)), "reported": reported},
        "best": None if best is None else _evaluation(record.evaluation(best)),
        "budget_steps": settings.population * settings.steps,
        "member_steps": sum(record.last_steps().values()),
        **counts,
        **times(timing),
        "settings": settings.model_dump(mode="json", by_alias=True),
        **provenance(settings.domain, settings.kind),
    }


def _evaluation(event: Event) -> dict[str, Any]:
    keys = ("member", "step", "score", "held_out", "metrics", "hyperparameters")
    return {key: event[key] for key in keys}


def times(path: Path) -> dict[str, Any]:
    """Seconds spent on a run: CPU by part of the recorded intervals, wall by session; when it began and ended (Unix s)."""
    rows = list(read_timing(path))
    parts = ("train_s", "evaluate_s", "save_s", "cpu_s")
    when = [row["at"] for row in rows if "at" in row]
    return {
        "wall_s": round(sum(sessions(path).values()), 3),
        **{part: round(sum(row.get(part, 0.0) for row in rows), 3) for part in parts},
        "begun": min(when, default=None),
        "ended": max(when, default=None),
    }
