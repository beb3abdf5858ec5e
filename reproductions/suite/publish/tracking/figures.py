"""Figures as artifacts: one run for the figures of each of a study's experiments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from reproductions.suite.publish.tracking.client import (
    DIGEST,
    KEY,
    LAYOUT,
    delete,
    experiment,
    is_current,
    opened,
    runs,
)
from reproductions.suite.publish.tracking.points import milliseconds
from reproductions.suite.study.inputs import read_bytes, shown
from reproductions.suite.study.registry import ConfigError

EXPERIMENT = "figures"


def figure_folders(studies: Sequence[Path]) -> list[Path]:
    """The folders of figures, STUDY/EXPERIMENT, in the given figures/STUDY. ConfigError for what is no such folder."""
    folders = []
    for study in studies:
        if not study.is_dir():
            raise ConfigError(f"--figures {study}: must be a folder of folders of figures")
        folders += sorted(path for path in study.resolve().iterdir() if path.is_dir())
    for folder in folders:
        for name in (folder.name, folder.parent.name):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
                raise ConfigError(f"--figures: the folder's name {shown(name)} must be plain letters and digits")
    return folders


def track_figures(folders: Sequence[Path], store: Path) -> list[str]:
    """Write the PNG figures of each folder (STUDY/EXPERIMENT) as a run; returns the experiments whose figures were new."""
    written = []
    with opened(store) as client:
        number = experiment(client, EXPERIMENT, store)
        for folder in folders:
            if _write(client, number, folder):
                written.append(folder.name)
    return written


def _write(client: MlflowClient, number: str, folder: Path) -> bool:
    figures = sorted(folder.glob("*.png"))
    if not figures:
        return False
    digest = hashlib.sha256(b"".join([str(LAYOUT).encode(), *map(read_bytes, figures)])).hexdigest()
    name, study = folder.name, folder.parent.name
    key = f"{study}/{name}"
    former = runs(client, number, f"tags.`{KEY}` = '{key}'")
    if is_current(former, digest):
        return False
    for old in former:
        delete(client, number, old)
    drawn = [milliseconds(figure.stat().st_mtime) for figure in figures]
    tags = {KEY: key, "kind": "figures", "study": study, "experiment": name}
    run = client.create_run(number, start_time=min(drawn), tags=tags, run_name=f"{name} ({study})").info.run_id
    for figure in figures:
        client.log_artifact(run, str(figure))
    client.set_terminated(run, end_time=max(drawn))
    client.set_tag(run, DIGEST, digest)
    return True
