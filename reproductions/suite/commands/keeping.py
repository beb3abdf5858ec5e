"""Commands that keep results elsewhere: `track` and `ui` for MLflow; `reference`, `restore`, `report`, `readme` for all."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from reproductions.suite.commands import Commands, folder, path, port, study
from reproductions.suite.publish.tracking.store import DATABASE, store_uri
from reproductions.suite.study.outputs import check, staged_file
from reproductions.suite.study.registry import ConfigError


def add(commands: Commands) -> None:
    """Add the parsers of these commands."""
    _add_track(commands)
    _add_ui(commands)
    _add_reference(commands)
    _add_restore(commands)
    _add_report(commands)
    _add_readme(commands)


def _add_track(commands: Commands) -> None:
    p = commands.add_parser(
        "track",
        help="write finished runs to MLflow",
        description="Write finished runs to an MLflow store. An experiment is a domain; its runs are methods (means over "
        "seeds, with intervals), their child runs the seeds, and theirs the members. Writing the same runs again changes "
        "nothing; a run that was made again replaces the former one.",
    )
    p.add_argument("runs", metavar="RUN", type=path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--store", type=path, metavar="DIR", default=Path("results/mlflow"),
                   help="folder of the store (default: results/mlflow)")  # fmt: skip
    p.add_argument("--figures", type=folder, metavar="DIR", action="append", default=[],
                   help="figures/STUDY: the figures of each folder in it become artifacts of a run")  # fmt: skip
    p.set_defaults(do=_track)


def _track(a: argparse.Namespace) -> None:
    from reproductions.suite.results import records

    check(a.store)
    runs = records.load(a.runs)
    for experiment in sorted({record.summary["domain"] for record in runs}):
        check(a.store / "artifacts" / experiment)
    from reproductions.suite.publish.tracking.figures import EXPERIMENT, figure_folders, track_figures
    from reproductions.suite.publish.tracking.writer import track

    folders = figure_folders(a.figures)
    if folders:
        check(a.store / "artifacts" / EXPERIMENT)
    a.store.mkdir(parents=True, exist_ok=True)
    for domain, written in track(runs, a.store).items():
        scores = [record.summary["final"] for record in runs if record.summary["domain"] == domain]
        lost = scores.count(None)
        without = f" ({lost} of them without a finite score)" if lost else ""
        print(f"{domain}: {len(written)} runs written, {len(scores) - len(written)} were there already{without}")
    if folders:
        for name in track_figures(folders, a.store):
            print(f"figures of {name}: written")


def _add_ui(commands: Commands) -> None:
    p = commands.add_parser("ui", help="serve the MLflow store on this machine only, and print the links to open")
    p.add_argument("--store", type=path, metavar="DIR", default=Path("results/mlflow"),
                   help="folder of the store (default: results/mlflow)")  # fmt: skip
    p.add_argument("--port", type=port, default=5000, help="1 to 65535 (default: 5000)")
    p.set_defaults(do=_ui)


def _ui(a: argparse.Namespace) -> NoReturn:
    import subprocess

    if not os.path.lexists(a.store / DATABASE):
        raise ConfigError(
            f"--store {a.store} holds no mlflow.db: run `make demo` or `python -m reproductions track` first"
        )
    from reproductions.suite.publish.tracking.pages import pages

    _must_be_free(a.port)
    links = pages(a.store)
    # One worker and no job runners: two processes instead of ten.
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store_uri(a.store)]
    command += ["--host", "127.0.0.1", "--port", str(a.port), "--workers", "1"]
    print("open one of these (Ctrl-C ends it), and choose Model training at the top left, which MLflow remembers:")
    for title, page in links.items():
        print(f"  {title}: http://127.0.0.1:{a.port}{page}")
    sys.stdout.flush()
    with subprocess.Popen(command, env=environment) as server:
        try:
            code = server.wait()
        finally:  # terminated, not killed: killed, it would leave a child process behind
            server.terminate()
    raise OSError(f"MLflow's server has ended by itself, with exit code {code}")


def _must_be_free(port: int) -> None:
    """ConfigError unless a server can listen on this port: MLflow's own would say so in many lines, and exit with 0."""
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: one that has ended is not in the way
        try:
            listening.bind(("127.0.0.1", port))
            listening.listen()
        except OSError as error:
            raise ConfigError(f"--port {port}: {error.strerror}: choose another") from None


def _add_reference(commands: Commands) -> None:
    p = commands.add_parser(
        "reference", help="keep a finished study's records, tables and provenance in results/reference"
    )
    p.add_argument("study", metavar="STUDY", type=study, help="a folder below results/, such as laptop")
    p.set_defaults(do=_reference)


def _reference(a: argparse.Namespace) -> None:
    from reproductions.suite.publish.reference import keep

    print(keep(a.study, Path("results")))


def _add_restore(commands: Commands) -> None:
    p = commands.add_parser(
        "restore",
        help="write the kept records of a study below results, from which its figures and tables can be made",
        description="Write the runs in results/reference/STUDY/records to results/STUDY/runs, as if they had been made here. "
        "Runs that are there stay.",
    )
    p.add_argument("study", metavar="STUDY", type=study, help="a folder below results/reference, such as laptop")
    p.set_defaults(do=_restore)


def _restore(a: argparse.Namespace) -> None:
    from reproductions.suite.publish.reference import restore

    folders = restore(a.study, Path("results"))
    there = len(folders) - sum(folders.values())
    stay = f", of which {there} were there already and stay as they are" if there else ""
    print(f"{len(folders)} runs in {Path('results', a.study, 'runs')}{stay}")


def _add_report(commands: Commands) -> None:
    p = commands.add_parser(
        "report",
        help="write a kept study as one HTML file that opens offline",
        description="What was claimed, done and found in results/reference/STUDY, with its figures and costs. All values come "
        "from its tables.",
    )
    p.add_argument("study", metavar="STUDY", type=study, help="a folder below results/reference, such as laptop")
    p.add_argument("--figures", type=folder, metavar="DIR", help="the study's figures (default: figures/STUDY)")
    p.add_argument("--out", type=path, metavar="FILE", required=True, help="file to write")
    p.set_defaults(do=_report)


def _report(a: argparse.Namespace) -> None:
    from reproductions.suite.publish.report import report

    with staged_file(a.out) as file:
        made = report(a.study, Path("results", "reference", a.study), a.figures or Path("figures", a.study))
        file.write_text(made, encoding="utf-8")
    print(a.out)


def _add_readme(commands: Commands) -> None:
    p = commands.add_parser(
        "readme", help="fill the tables and listings of the READMEs from results/reference and examples"
    )
    p.add_argument("--check", action="store_true", help="change nothing; fail if one is not up to date")
    p.set_defaults(do=_readme)


def _readme(a: argparse.Namespace) -> int:
    from pbt_core.files import write_whole
    from reproductions.suite.publish.readme import fill, readmes
    from reproductions.suite.running.provenance import ROOT
    from reproductions.suite.study.inputs import read_text

    old = {file: read_text(file) for file in readmes(ROOT)}
    stale = {file: new for file, text in old.items() if (new := fill(text, ROOT)) != text}
    for file, new in stale.items():
        if a.check:
            print(f"{file} is not up to date: run `python -m reproductions readme`", file=sys.stderr)
        else:
            write_whole(file, new)
    return 1 if stale and a.check else 0
