"""The command line; works without Snakemake, which only calls it.

Every command checks everything it was given before it does anything. Exit codes: 0 done, 1 the work failed, 2 the request
was wrong (one line says how).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from pbt_core import CheckpointError, RunError
from pbt_core.events import RecordError, read
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
    _add_list(commands)
    return top


def _add_run(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser(
        "run",
        help="run one method on one domain, or resume it",
        description="Run METHOD on DOMAIN, or resume: the same command in the same DIR goes on where it was killed. Leaves "
        "events.parquet, lineage.json and summary.json in DIR.",
    )
    p.add_argument("domain", metavar="DOMAIN", help=f"one of {', '.join(registry.domains())}")
    p.add_argument("method", metavar="METHOD", help="one of the domain's methods (see `list`), or replay")
    p.add_argument("--seed", type=int, default=0, help="every draw derives from it (default: 0)")
    p.add_argument("--scale", choices=SCALES, default="laptop", help="size of the experiment (default: laptop)")
    p.add_argument("--out", type=Path, metavar="DIR", required=True, help="where the run lives; resumed if it exists")
    p.add_argument("--variant", default="default", help="a label for runs that differ by --set (default: default)")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
                   help="override a setting, e.g. population=4, search.exploit.fraction=0.1, task.lr=0.02; repeatable")  # fmt: skip
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
        overrides,
        engine=a.engine,
        synchronous=a.sync,
        workers=a.workers,
        timeout=a.timeout,
    )
    from reproductions.progress import showing
    from reproductions.run import execute

    record = a.out / "state" / "events.jsonl"
    with showing(settings, read(record) if record.exists() else [], a.quiet) as observer:
        summary = execute(settings, a.out, observer)
    final = summary["final"]
    told = "no member with a finite score" if final is None else f"score {final['score']:.4f}"
    if final and final["held_out"] is not None:
        told += f", held out {final['held_out']:.4f}"
    print(f"{a.domain} {a.method} seed {a.seed}: {told}; in {a.out}")


def _add_list(commands: argparse._SubParsersAction[Parser]) -> None:
    p = commands.add_parser("list", help="the domains, their methods and scales")
    p.set_defaults(do=_list)


def _list(a: argparse.Namespace) -> None:
    for domain in registry.domains():
        sweep = registry.sweep(domain)
        print(f"{domain}\n  methods: {', '.join(sweep.METHODS)}, replay")
        print(f"  hyperparameters: {', '.join(sweep.SPACE)}")
        for name, scale in sweep.SCALES.items():
            size = f"population {scale.population}, {scale.steps} {sweep.MEASURE.step}, evaluated every {scale.interval}"
            print(f"  {name}: {size}")
