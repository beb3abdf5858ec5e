"""The command line; works without Snakemake, which only calls it.

Every command checks everything it was given before it does anything. Exit codes: 0 done, 1 the work failed, 2 the request
was wrong (one line says how).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from pbt_core import CheckpointError, RunError
from pbt_core.events import RecordError
from reproductions import registry
from reproductions.registry import ConfigError
from reproductions.settings import SCALES, resolve


class Parser(argparse.ArgumentParser):
    """Errors in one line, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do; returns the exit code."""
    parsed = parser().parse_args(arguments)
    try:
        code: int = parsed.do(parsed) or 0
        return code
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RunError, RecordError, CheckpointError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def parser() -> Parser:
    """All commands and their options."""
    top = Parser(prog="python -m reproductions", description=__doc__.splitlines()[0])
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND", parser_class=Parser)
    _add_run(commands)
    _add_plan(commands)
    _add_list(commands)
    _add_table(commands)
    _add_runs_table(commands)
    _add_claims(commands)
    _add_figure(commands)
    _add_paper(commands)
    _add_track(commands)
    _add_ui(commands)
    _add_show(commands)
    _add_readme(commands)
    _add_reference(commands)
    return top


def _add_run(commands: argparse._SubParsersAction[Parser]) -> None:
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
    p.add_argument("--seed", type=int, default=0, help="every draw derives from it (default: 0)")
    p.add_argument("--scale", choices=SCALES, default="laptop", help="size of the experiment (default: laptop)")
    p.add_argument("--out", type=Path, metavar="DIR", required=True, help="where the run lives; resumed if it exists")
    p.add_argument("--variant", default="default", help="a label for runs that differ by --set (default: default)")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
                   help="override a setting, e.g. population=4 or search.exploit.fraction=0.1; repeatable")  # fmt: skip
    p.add_argument("--lineage", type=Path, help="for replay: the lineage.json whose schedule is trained on anew")
    p.add_argument("--engine", choices=("serial", "processes"), help="default: the scale's")
    p.add_argument("--sync", action=argparse.BooleanOptionalAction, default=None,
                   help="members wait for each other after each interval (default: the scale's)")  # fmt: skip
    p.add_argument("--workers", type=int, metavar="W", help="worker processes (default: one a core)")
    p.add_argument("--timeout", type=float, metavar="SECONDS", help="an interval longer than this counts as hung")
    p.add_argument("--quiet", action="store_true", help="no progress")
    p.set_defaults(do=_run)


def _run(a: argparse.Namespace) -> None:
    overrides = [*a.overrides, *([f"search.lineage={a.lineage}"] if a.lineage else [])]
    settings = resolve(
        a.domain,
        a.method,
        a.seed,
        a.scale,
        a.variant,
        a.problem,
        overrides,
        engine=a.engine,
        synchronous=a.sync,
        workers=a.workers,
        timeout=a.timeout,
    )
    from reproductions.progress import showing
    from reproductions.run import execute

    summary = execute(settings, a.out, lambda earlier: showing(settings, earlier, a.quiet))
    final = summary["final"]
    told = "no member with a finite score" if final is None else f"score {final['score']:.4f}"
    if final and final["held_out"] is not None:
        told += f", held out {final['held_out']:.4f}"
    print(f"{a.domain} {settings.problem} {a.method} seed {a.seed}: {told}; in {a.out}")


def _add_plan(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "plan",
        help="say what a target of the workflow will do and cost, before anything runs",
        description="For each method: runs to do and done, CPU and wall hours by what such runs have cost before, and why "
        "they would run. Nothing is run or written.",
    )
    p.add_argument("targets", metavar="TARGET", nargs="+", help="what you would ask snakemake for, such as gan or all")
    p.add_argument("--configfile", type=Path, metavar="FILE", nargs="+", default=[], help="as for snakemake")
    p.set_defaults(do=_plan)


def _plan(a: argparse.Namespace) -> None:
    from functools import cache

    from pbt_core.engines.base import cores
    from reproductions import costs, jobs, planning

    planned = jobs.jobs(jobs.ask(a.targets, a.configfile))
    known = cache(lambda scale: costs.known(Path("results"), scale))
    budget = planning.budgets([Path("config", "config.yaml"), *a.configfile])
    print(planning.table(planned, planning.lines(planned, known, budget), cores()))


def _add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("list", help="the domains, their problems, methods and scales")
    p.set_defaults(do=_list)


def _list(a: argparse.Namespace) -> None:
    for domain in registry.domains():
        sweep = registry.sweep(domain)
        print(f"{domain}\n  problems: {', '.join(sweep.PROBLEMS)}")
        print(f"  methods: {', '.join(sweep.METHODS)}, replay")
        print(f"  hyperparameters: {', '.join(sweep.SPACE)}")
        for name, scale in sweep.SCALES.items():
            size = (
                f"population {scale.population}, {scale.steps} {sweep.MEASURE.step}, evaluated every {scale.interval}"
            )
            print(f"  {name}: {', '.join(scale.problems)}; {size}")


def _add_table(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "table",
        help="compare finished runs of a domain in tables",
        description="Write comparison.csv, pairs.csv and their Markdown forms, problem by problem: methods side by side "
        "with 95 %% intervals over seeds, and the probability that one beats the other.",
    )
    _add_runs(p)
    p.add_argument("--budgets-differ", action="store_true",
                   help="compare runs of different budgets all the same, because that is what is studied")  # fmt: skip
    p.set_defaults(do=_table)


def _table(a: argparse.Namespace) -> None:
    from reproductions import records, tables

    anchors = registry.sweep(a.domain).MEASURE.anchors
    for path in tables.write(_of_domain(a.domain, records.load(a.runs)), a.out, anchors, a.budgets_differ):
        print(path)


def _add_runs_table(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "runs",
        help="one row a finished run, of any domains: what claims are judged by",
        description="Write a CSV with one row a run: what was asked for, the scores, the traits of its lineages, the cost.",
    )
    p.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=Path, metavar="FILE", required=True, help="the CSV to write")
    p.set_defaults(do=_runs_table)


def _runs_table(a: argparse.Namespace) -> None:
    from reproductions import records, reference

    a.out.parent.mkdir(parents=True, exist_ok=True)
    reference.write_runs(reference.runs(records.load(a.runs)), a.out)
    print(a.out)


def _add_claims(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "claims",
        help="the paper's claims, and the verdicts of the runs in a table of runs",
        description="Judge every claim of the paper by TABLE, which `runs` writes: claim, the paper's number, ours with a "
        "95 %% interval, seeds, verdict, command.",
    )
    p.add_argument(
        "table", metavar="TABLE", type=Path, help="a table of runs, such as results/reference/laptop/runs.csv"
    )
    p.add_argument("--out", type=Path, metavar="DIR", help="folder to write claims.csv to")
    p.set_defaults(do=_claims)


def _claims(a: argparse.Namespace) -> None:
    import pandas as pd

    from reproductions import claims
    from reproductions.statistics import Estimate

    if not a.table.is_file():
        raise ConfigError(f"{a.table} is no table of runs: `python -m reproductions runs RUN... --out FILE` writes one")
    judged = claims.judge(claims.all_claims(), pd.read_csv(a.table))
    if a.out:
        print(claims.write(judged, a.out))
    for row in judged.to_dict("records"):
        ours = Estimate(row["ours"], row["ours_low"], row["ours_high"])
        print(
            f"{row['verdict']:15} {row['domain']:12} {row['claim']}\n{'':28} {row['test']}: {ours}, {row['seeds']} seed(s)"
        )


def _add_figure(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("figure", help="draw the figures of a domain from finished runs, as SVG and PNG")
    _add_runs(p)
    p.add_argument("--only", metavar="NAME", nargs="*", default=[], help="draw these figures (default: all)")
    p.set_defaults(do=_figure)


def _figure(a: argparse.Namespace) -> None:
    from reproductions import plotting, records

    figures = registry.analysis(a.domain).figures(_of_domain(a.domain, records.load(a.runs)))
    if unknown := sorted(set(a.only) - set(figures)):
        raise ConfigError(f"--only {unknown[0]}: there is no such figure; {a.domain} has {sorted(figures)}")
    chosen = {name: make for name, make in figures.items() if not a.only or name in a.only}
    for path in plotting.draw(chosen, a.out):
        print(path)


def _add_paper(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("paper", help="draw the paper's figures 1, 3 and 5 from finished runs of any domains")
    p.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder to write to")
    p.set_defaults(do=_paper)


def _paper(a: argparse.Namespace) -> None:
    from reproductions import paper, plotting, records

    for path in plotting.draw(paper.figures(records.load(a.runs)), a.out):
        print(path)


def _add_runs(p: argparse.ArgumentParser) -> None:
    p.add_argument("domain", metavar="DOMAIN", help=f"one of {', '.join(registry.domains())}")
    p.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=Path, metavar="DIR", required=True, help="folder to write to")


def _of_domain(domain: str, records: list[Any]) -> list[Any]:
    registry.sweep(domain)
    for record in records:
        if record.summary["domain"] != domain:
            raise ConfigError(f"{record.folder} is a run of domain {record.summary['domain']!r}, not {domain!r}")
    return records


def _add_track(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "track",
        help="write finished runs to MLflow",
        description="Write finished runs to an MLflow store: experiment = domain, parent run = problem, method, variant "
        "and seed, child runs = members. Again on the same runs, it changes nothing.",
    )
    p.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--store", type=Path, metavar="DIR", default=Path("results/mlflow"),
                   help="folder of the store (default: results/mlflow)")  # fmt: skip
    p.add_argument("--figures", type=Path, metavar="DIR", action="append", default=[],
                   help="folder DIR/DOMAIN's figures become artifacts of that domain's runs")  # fmt: skip
    p.set_defaults(do=_track)


def _track(a: argparse.Namespace) -> None:
    from reproductions import records, tracking

    a.store.mkdir(parents=True, exist_ok=True)
    found = records.load(a.runs)
    for domain in sorted({record.summary["domain"] for record in found}):
        own = [record for record in found if record.summary["domain"] == domain]
        figures = sorted(path for folder in a.figures for path in (folder / domain).glob("*.png"))
        written = tracking.track(own, store_uri(a.store), a.store / "artifacts", figures)
        print(f"{domain}: {len(written)} runs written, {len(own) - len(written)} were there already")


def store_uri(store: Path) -> str:
    """MLflow's address of the store in a folder."""
    return f"sqlite:///{(store / 'mlflow.db').absolute()}"


def _add_ui(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("ui", help="serve the MLflow store on this machine only, and print the links to open")
    p.add_argument("--store", type=Path, metavar="DIR", default=Path("results/mlflow"))
    p.add_argument("--port", type=int, default=5000)
    p.set_defaults(do=_ui)


def _ui(a: argparse.Namespace) -> int:
    import os
    import subprocess

    if not (a.store / "mlflow.db").exists():
        raise ConfigError(
            f"--store {a.store} holds no mlflow.db: run `make demo` or `python -m reproductions track` first"
        )
    from reproductions.tracking import pages

    # One worker and no job runners: two processes instead of ten.
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", store_uri(a.store)]
    command += ["--host", "127.0.0.1", "--port", str(a.port), "--workers", "1"]
    print("open one of these (Ctrl-C ends it):")
    for what, page in pages(store_uri(a.store)).items():
        print(f"  {what}: http://127.0.0.1:{a.port}{page}")
    sys.stdout.flush()
    return subprocess.run(command, env=environment).returncode


def _add_show(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("show", help="print the results of a study and where to look at them")
    p.add_argument("study", metavar="STUDY", help="a folder below results/ and figures/, such as laptop or laptop-demo")
    p.set_defaults(do=_show)


def _show(a: argparse.Namespace) -> None:
    import pandas as pd

    from reproductions.statistics import Estimate

    tables = sorted(Path("results", a.study, "tables").glob("*/comparison.csv"))
    if not tables:
        raise ConfigError(f"study = {a.study!r} has no tables in results/{a.study}/tables: run snakemake first")
    for path in tables:
        frame = pd.read_csv(path)
        print(f"\n{path.parent.name}: reported score of the final best member, mean over seeds [95 % interval]")
        for row in frame.to_dict("records"):
            told = Estimate(*(row[f"reported_final_mean{end}"] for end in ("", "_low", "_high")))
            cost = f"{row['member_steps_mean']:.0f} member-steps, {row['cpu_s_mean']:.0f} CPU s a run"
            print(f"  {row['problem']:16} {row['method']:16} {told!s:24} {row['seeds']} seed(s), {cost}")
    report = "make report TARGET=demo" if a.study.endswith("-demo") else "make report"
    print(f"\nfigures  figures/{a.study}/\ntables   results/{a.study}/tables/\nMLflow   make ui\nreport   {report}")


def _add_readme(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "readme", help="fill the tables and listings of the READMEs from results/reference and examples"
    )
    p.add_argument("--check", action="store_true", help="change nothing; fail if one is not up to date")
    p.set_defaults(do=_readme)


def _readme(a: argparse.Namespace) -> int:
    from reproductions.provenance import ROOT
    from reproductions.readme import fill, readmes

    old = {path: path.read_text() for path in readmes(ROOT)}
    stale = {path: new for path, text in old.items() if (new := fill(text, ROOT)) != text}
    for path, new in stale.items():
        if a.check:
            print(f"{path} is not up to date: run `python -m reproductions readme`", file=sys.stderr)
        else:
            path.write_text(new)
    return 1 if stale and a.check else 0


def _add_reference(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("reference", help="keep a finished study's tables and provenance in results/reference")
    p.add_argument("study", metavar="STUDY", help="a folder below results/, such as laptop")
    p.set_defaults(do=_reference)


def _reference(a: argparse.Namespace) -> None:
    from reproductions.reference import keep

    print(keep(a.study, Path("results")))
