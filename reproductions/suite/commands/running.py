"""Commands that run things, and say what can be run: `run`, `worker`, `plan`, `list`, `kinds`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reproductions.suite.commands import Commands, OnceEither, number, path, whole_number
from reproductions.suite.running.clusters import ClusterFile, read_cluster
from reproductions.suite.running.execution import ENGINES, OWN, Execution, knowing, resolve_execution
from reproductions.suite.study import manual, registry
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.names import DEFAULT
from reproductions.suite.study.outputs import check
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import missing, require
from reproductions.suite.study.settings import EXECUTION, SCALES, Settings, resolve

#: How the options of engines are read from a command line, by what they are.
PARSERS: Mapping[Any, Callable[[str], Any]] = {
    float | None: number,
    int | None: whole_number,
    str | None: str,
    ClusterFile | None: path,
}


def add(commands: Commands) -> None:
    """Add the parsers of these commands."""
    _add_run(commands)
    _add_worker(commands)
    _add_plan(commands)
    _add_list(commands)
    _add_kinds(commands)


def _add_run(commands: Commands) -> None:
    p = commands.add_parser(
        "run",
        help="run one method on one domain, or resume it",
        description="Run METHOD on DOMAIN, or resume: the same command in the same DIR goes on where it was killed. "
        "Leaves events.parquet, lineage.json and summary.json in DIR.",
    )
    p.add_argument("domain", metavar="DOMAIN", help=f"one of {', '.join(registry.domains())}")
    p.add_argument("method", metavar="METHOD", help="one of the domain's methods (see `list`), or replay")
    p.add_argument("--problem", metavar="NAME",
                   help="one of the domain's problems (see `list`; default: the first of the scale)")  # fmt: skip
    p.add_argument("--seed", type=whole_number, default=0, help="every draw derives from it (default: 0)")
    p.add_argument("--scale", choices=SCALES, default="laptop", help="size of the experiment (default: laptop)")
    p.add_argument("--out", type=path, metavar="DIR", required=True, help="the run's folder; a run in it is resumed")
    p.add_argument("--variant", default=DEFAULT, help=f"a label for runs that differ by --set (default: {DEFAULT})")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
                   help="override a setting, e.g. population=4 or search.exploit.fraction=0.1; repeatable")  # fmt: skip
    p.add_argument("--lineage", type=path, metavar="FILE", dest="search.lineage",
                   help="for replay: the lineage.json whose schedule is trained on anew")  # fmt: skip
    p.add_argument("--engine", choices=tuple(ENGINES), help="default: the scale's")
    p.add_argument("--sync", action=OnceEither, default=None, dest="synchronous",
                   help="members wait for each other after each interval (default: the scale's)")  # fmt: skip
    p.add_argument("--workers", type=whole_number, metavar="W",
                   help="worker processes (default: one a core, or one an accelerator)")  # fmt: skip
    _add_place(p)
    for key in OWN:
        field = Execution.model_fields[key]
        extra = field.json_schema_extra
        assert isinstance(extra, dict), "as every option of an engine"
        p.add_argument(f"--{key}", type=PARSERS[field.annotation], metavar=extra["metavar"],
                       help=f"of the engine {' or '.join(knowing(key))}: {field.description}")  # fmt: skip
    p.add_argument("--extend", action="store_true",
                   help="let a finished run go on to more steps (--set steps=...) or with another stop")  # fmt: skip
    p.set_defaults(do=_run)


def _add_place(p: argparse.ArgumentParser) -> None:
    """Options of whoever trains."""
    p.add_argument("--device", metavar="D",
                   help="cpu, mps, cuda (all that are visible), cuda:N or cuda:0,cuda:1 (default: the scale's)")  # fmt: skip
    p.add_argument("--threads", type=whole_number, metavar="T", help="threads of each worker (default: 1)")
    p.add_argument("--timeout", type=number, metavar="SECONDS", help="an interval longer than this counts as hung")
    p.add_argument("--quiet", action="store_true", help="no progress")


def _add_worker(commands: Commands) -> None:
    p = commands.add_parser(
        "worker",
        help="help with a run that others began with the engine leased",
        description="Work on the run in DIR until it is finished, together with all others that do: on any machine that sees "
        "DIR, any number of times. Begin it with `run DOMAIN METHOD --engine leased --no-sync --out DIR`.",
    )
    p.add_argument("--run", type=path, metavar="DIR", required=True, help="the --out of the run")
    _add_place(p)
    p.set_defaults(do=_worker)


def _worker(a: argparse.Namespace) -> None:
    from reproductions.suite.running.states import requested

    settings = requested(a.run)
    chosen = {"engine": "leased", "device": a.device, "threads": a.threads, "timeout": a.timeout}
    _carry_out(settings, a.run, resolve_execution(settings.domain, settings.scale, **chosen), a.quiet)


def _run(a: argparse.Namespace) -> None:
    for text in a.overrides:  # options that are settings have their names
        if (said := vars(a).get("given", {}).get(text.partition("=")[0])) is not None:
            raise ConfigError(f"{shown(said)} and {shown(f'--set {text}')}: given twice; give one of them")
    settings = resolve(
        a.domain,
        a.method,
        a.seed,
        a.scale,
        a.variant,
        a.problem,
        a.overrides,
        vars(a)["search.lineage"],
        synchronous=a.synchronous,
    )
    chosen = {key: getattr(a, key) for key in EXECUTION}
    chosen["cluster"] = None if a.cluster is None else read_cluster(a.cluster)
    _carry_out(settings, a.out, resolve_execution(a.domain, a.scale, **chosen), a.quiet, a.extend)


def _carry_out(settings: Settings, out: Path, execution: Execution, quiet: bool, extend: bool = False) -> None:
    """Run, and say what came of it in a line."""
    execution.check(settings)
    require(f"{settings.domain} on {settings.problem}", missing(settings.domain, settings.task))
    check(out)
    for place in ("state", "events.parquet", "lineage.json", "summary.json"):
        is_one = Path.is_dir if place == "state" else Path.is_file
        if os.path.lexists(out / place) and not is_one(out / place):
            raise ConfigError(f"--out {out}: {place} in it must be a {'folder' if place == 'state' else 'file'}")
    from reproductions.suite.running.execute import execute
    from reproductions.suite.running.progress import naming, showing

    summary = execute(settings, out, lambda earlier: showing(settings, earlier, quiet), extend, execution)
    final = summary["final"]
    scores = "no finite score" if final is None else f"score {_shown(final['score'])}"
    if final and final["held_out"] is not None:
        scores += f", held out {_shown(final['held_out'])}"
    if final and final["reported"] is not None:
        scores += f", reported {_shown(final['reported']['value'])}"
    print(f"{naming(settings)}: {scores}; in {out}")


def _shown(score: float) -> str:
    return f"{score:.4f}" if abs(score) < 1e7 else f"{score:.4g}"


def _add_plan(commands: Commands) -> None:
    p = commands.add_parser(
        "plan",
        help="say what a target of the workflow will do and cost, before anything runs",
        description="For each method: runs to do and done, CPU and wall hours by the cost of earlier runs, and why they would "
        "run. Nothing is run or written; servers are asked for data that runs would fetch and that are not there.",
    )
    p.add_argument("targets", metavar="TARGET", nargs="+", help="what you would ask snakemake for, such as gan or all")
    p.add_argument("--configfile", type=path, metavar="FILE", nargs="+", default=[], help="as for snakemake")
    p.add_argument("--config", metavar="KEY=VALUE", nargs="+", default=[],
                   help="as for snakemake, such as assume_requirements=true")  # fmt: skip
    p.add_argument("--simulate", type=path, metavar="FILE",
                   help="also say how long the runs to do would take on the workers that FILE describes (see "
                   "config/clusters), by simulating one run of each method; made-up scores, nothing is trained")  # fmt: skip
    p.set_defaults(do=_plan)


def _plan(a: argparse.Namespace) -> None:
    from functools import cache

    from pbt_core.engines.base import cores
    from reproductions.suite.planning import costs, forecast, jobs, simulation

    cluster = None if a.simulate is None else read_cluster(a.simulate)
    answer = jobs.ask(a.targets, a.configfile, a.config)
    for line in answer.left_out:
        print(line, file=sys.stderr)
    planned = jobs.jobs(answer.table)
    known = cache(lambda scale: costs.past_costs(Path("results"), scale))
    files = [Path("config", "config.yaml"), *a.configfile]
    lines = forecast.lines(planned, known, forecast.budgets(files))
    print(forecast.table(planned, lines, cores()))
    if cluster is not None:
        print(f"\n{simulation.table(lines, forecast.settings_of(files), cluster)}")


def _add_list(commands: Commands) -> None:
    p = commands.add_parser(
        "list",
        help="the domains, their problems, methods and scales, and what cannot run here",
        description="The domains, their problems, methods and scales, and what cannot run here. Servers are asked for data "
        "that runs would fetch and that are not there.",
    )
    p.set_defaults(do=_list)


def _list(a: argparse.Namespace) -> None:
    for domain in registry.domains():
        try:
            sweep = registry.sweep(domain)
        except ConfigError as error:  # of one domain, which is no reason to be silent about the others
            print(f"{domain}\n  cannot be read: {error}")
            continue
        print(f"{domain}\n  problems: {', '.join(sweep.PROBLEMS)}")
        lacking: dict[str, list[str]] = {}
        for problem, task in sweep.PROBLEMS.items():
            for line in missing(domain, task):
                lacking.setdefault(line, []).append(problem)
        for line, problems in lacking.items():
            print(f"  cannot run here: {', '.join(problems)}; needs {line}")
        print(f"  methods: {', '.join(sweep.METHODS)}, replay")
        print(f"  hyperparameters: {', '.join(sweep.SPACE)}")
        for name, scale in sweep.SCALES.items():
            size = (
                f"population {scale.population}, {scale.steps} {sweep.MEASURE.step}, evaluated every {scale.interval}"
            )
            print(f"  {name}: {', '.join(scale.problems)}; {size}")


def _add_kinds(commands: Commands) -> None:
    p = commands.add_parser(
        "kinds",
        help="what a configuration can say of methods: their kinds, keys and defaults",
        description="Each kind of method, exploit, explore and schedule with the keys of its description, their types and "
        "defaults; with KIND, also what its keys mean.",
    )
    p.add_argument("kind", metavar="KIND", nargs="?", help="such as pbt, halving or truncation (default: all)")
    p.set_defaults(do=_kinds)


def _kinds(a: argparse.Namespace) -> None:
    print(manual.overview() if a.kind is None else manual.entry(a.kind))
