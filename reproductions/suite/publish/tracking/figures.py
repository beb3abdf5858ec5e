"""Figures as artifacts: one run for the figures of each of a study's experiments."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient

from reproductions.suite.publish.pictures import pictures
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
from reproductions.suite.study.inputs import InputError, folder_at, shown

EXPERIMENT = "figures"


@dataclass(frozen=True)
class FigureFolder:
    """A folder of figures, STUDY/EXPERIMENT, and the SHA-256 of what is written of it."""

    path: Path
    figures: tuple[Path, ...]
    digest: str

    @property
    def key(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"


def figure_folders(studies: Sequence[Path]) -> list[FigureFolder]:
    """The folders with PNG figures in the given figures/STUDY, all of them read; InputError for whatever is wrong with one."""
    paths = [path for study in studies for path in sorted(folder_at(study).resolve().iterdir()) if path.is_dir()]
    folders = list(map(_read, paths))
    for folder in folders:
        for name in (folder.path.name, folder.path.parent.name):
            if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._ -]*", name):
                raise InputError(f"--figures: the folder's name {shown(name)} must be plain letters and digits")
    return [folder for folder in folders if folder.figures]


def _read(path: Path) -> FigureFolder:
    figures, sha = [], hashlib.sha256(str(LAYOUT).encode())
    for figure, content in pictures(path, [".png"]):
        figures.append(figure)
        sha.update(content)
    return FigureFolder(path, tuple(figures), sha.hexdigest())


def track_figures(folders: Sequence[FigureFolder], store: Path) -> list[str]:
    """Write the figures of each folder as a run; returns the experiments whose figures were new."""
    with opened(store) as client:
        number = experiment(client, EXPERIMENT, store)
        return [folder.path.name for folder in folders if _write(client, number, folder)]


def _write(client: MlflowClient, number: str, folder: FigureFolder) -> bool:
    name, study = folder.path.name, folder.path.parent.name
    former = runs(client, number, f"tags.`{KEY}` = '{folder.key}'")
    tags = {KEY: folder.key, "kind": "figures", "study": study, "experiment": name}
    if is_current(former, folder.digest, tags):
        return False
    for old in former:
        delete(client, number, old)
    drawn = [milliseconds(figure.stat().st_mtime) for figure in folder.figures]
    run = client.create_run(number, start_time=min(drawn), tags=tags, run_name=f"{name} ({study})").info.run_id
    for figure in folder.figures:
        client.log_artifact(run, str(figure))
    client.set_terminated(run, end_time=max(drawn))
    client.set_tag(run, DIGEST, folder.digest)
    return True
