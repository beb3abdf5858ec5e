"""The names of runs, and the tags that they are filtered by."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mlflow.entities import Run

from reproductions.suite.publish.tracking.client import KEY
from reproductions.suite.results.records import Record
from reproductions.suite.study.names import PATTERNS

#: What the runs of a method have in common, and what names a training run.
METHOD = ("scale", "problem", "method", "variant")
SEED = (*METHOD, "seed")


def identity(record: Record, kind: str) -> dict[str, str]:
    """The tags that a training run and its members are filtered and grouped by."""
    return {"kind": kind, **{name: str(record.summary[name]) for name in ("domain", *SEED)}}


def key(tags: Mapping[str, str], names: tuple[str, ...] = SEED) -> str:
    """The identity of a run within its experiment as one string."""
    return "/".join(tags[name] for name in names)


def is_named(run: Run, names: tuple[str, ...]) -> bool:
    """Whether a run of a store has its names, times and numbers as they were written.

    One that has not is left alone: somebody has changed it, or it is somebody else's.
    """
    tags, info = run.data.tags, run.info
    if not all(isinstance(tags.get(name), str) for name in ("domain", *names)) or tags.get(KEY) != key(tags, names):
        return False
    if "seed" in names and re.fullmatch(PATTERNS["seed"], tags["seed"]) is None:
        return False
    is_timed = isinstance(info.start_time, int) and isinstance(info.end_time, int)
    return is_timed and all(isinstance(value, float) for value in run.data.metrics.values())


def run_name(tags: Mapping[str, str]) -> str:
    """Short, and what differs first, since tables and legends cut off the end: such as ``pbt seed 0 member 3 ms_pacman``.

    The variant and the scale are named where they are not the usual ones.
    """
    parts = [tags["method"] + ("" if tags["variant"] == "default" else f" ({tags['variant']})")]
    parts += [f"{level} {tags[level]}" for level in ("seed", "member") if level in tags]
    parts += [tags["problem"]] + ([] if tags["scale"] == "laptop" else [tags["scale"]])
    return " ".join(parts)
