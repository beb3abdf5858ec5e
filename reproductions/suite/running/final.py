"""What is made of a run's answer after training: the final report and the illustration, on the device of the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors.numpy import save_file

from pbt_core import Run, RunError, Stream
from pbt_core.calls import Calls, TaskError, global_generators_kept, plain_score, seed_globals
from pbt_core.files import replacing
from reproductions.suite.study.domain import DomainTask

Made = TypeVar("Made")


def report(task: DomainTask[Any], run: Run, seed: Stream) -> dict[str, Any] | None:
    """The task's final evaluation of the run's answer, and the CPU seconds it took; None if there is none.

    RunError if what it returns is no score.
    """
    start = time.process_time()
    score = _of_the_answer(task.report, task, run, seed)
    if score is None:
        return None
    try:
        plain = plain_score(score, f"{type(task).__name__}.report")
    except TaskError as error:
        raise RunError(error.error) from None
    return {"value": plain["score"], "samples": plain["samples"], "cpu_s": round(time.process_time() - start, 3)}


def illustrate(task: DomainTask[Any], run: Run, seed: Stream, path: Path) -> None:
    """Keep the arrays that the task has for figures in ``path``, if it has any."""
    arrays = _of_the_answer(task.illustrate, task, run, seed)
    if arrays is not None:
        with replacing(path) as temporary:
            save_file(arrays, temporary)


def _of_the_answer(
    hook: Callable[[Any, Stream], Made | None], task: DomainTask[Any], run: Run, seed: Stream
) -> Made | None:
    """The hook's result for the run's answer; None if the run has none. Global generators are seeded from ``seed`` for it."""
    if run.best is None:
        return None
    state = run.state(task)
    try:
        with global_generators_kept():
            seed_globals(seed)
            return hook(state, seed)
    finally:
        Calls(task).close(state)
