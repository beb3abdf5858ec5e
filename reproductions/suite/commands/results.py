"""Commands that look at finished runs: `table`, `runs`, `claims`, `power`, `figure`, `paper`, `stragglers`, `show`."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproductions.suite.commands import Commands, path, study
from reproductions.suite.study import registry
from reproductions.suite.study.figure_names import meant
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.outputs import staged, staged_file
from reproductions.suite.study.registry import ConfigError

if TYPE_CHECKING:
    from reproductions.suite.results.records import Record


def add(commands: Commands) -> None:
    """Add the parsers of these commands."""
    _add_table(commands)
    _add_runs_table(commands)
    _add_claims(commands)
    _add_power(commands)
    _add_figure(commands)
    _add_paper(commands)
    _add_stragglers(commands)
    _add_show(commands)


def _add_table(commands: Commands) -> None:
    p = commands.add_parser(
        "table",
        help="compare finished runs of a domain in tables",
        description="Write comparison.csv, pairs.csv and their Markdown forms, problem by problem: methods side by side "
        "with 95 % intervals over seeds, and the probability that one beats the other.",
    )
    _add_runs(p)
    p.add_argument("--budgets-differ", action="store_true",
                   help="compare runs of different budgets all the same, because that is what is studied")  # fmt: skip
    p.set_defaults(do=_table)


def _table(a: argparse.Namespace) -> None:
    from reproductions.suite.results import records, tables

    anchors = registry.sweep(a.domain).MEASURE.anchors
    with staged(a.out) as place:
        written = tables.write(_of_domain(a.domain, records.load(a.runs)), place, anchors, a.budgets_differ)
    _print(a.out, written)


def _print(out: Path, written: Sequence[Path]) -> None:
    """Print the paths of the files that were written."""
    for made in written:
        print(out / made.name)


def _add_runs_table(commands: Commands) -> None:
    p = commands.add_parser(
        "runs",
        help="write a table with one row a finished run, of any domains: claims are judged by it",
        description="Write a CSV with one row a run: what was asked for, the scores, the traits of its lineages, the cost.",
    )
    p.add_argument("runs", metavar="RUN", type=path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=path, metavar="FILE", required=True, help="the CSV to write")
    p.set_defaults(do=_runs_table)


def _runs_table(a: argparse.Namespace) -> None:
    from reproductions.suite.results import records, run_table
    from reproductions.suite.results.comparable import asked_for, must_be_of_one_setting

    for run in a.runs:
        if Path(os.path.realpath(a.out)).parent == Path(os.path.realpath(run)) and a.out.exists():
            raise ConfigError(f"--out {a.out}: it would overwrite a file of the run in {run}")
    loaded = records.load(a.runs)
    must_be_of_one_setting(asked_for(loaded))  # which the table does not have
    with staged_file(a.out) as file:
        run_table.one_row_a_run(run_table.runs(loaded)).to_csv(file, index=False)
    print(a.out)


def _add_claims(commands: Commands) -> None:
    p = commands.add_parser(
        "claims",
        help="the paper's claims, and the verdicts of the runs in a table of runs",
        description="Judge every claim of the paper by TABLE, which `runs` writes: claim, the paper's number, ours with a "
        "95 % interval, seeds, verdict, command.",
    )
    p.add_argument(
        "table", metavar="TABLE", type=path, help="a table of runs, such as results/reference/laptop/runs.csv"
    )
    p.add_argument("--out", type=path, metavar="DIR", help="folder to write claims.csv to")
    p.set_defaults(do=_claims)


def _claims(a: argparse.Namespace) -> None:
    from reproductions.suite.results import run_table, verdicts
    from reproductions.suite.results.claims import all_claims

    table = run_table.read_runs(a.table)
    judged = verdicts.judge(all_claims(), table)
    if a.out:
        with staged(a.out) as place:
            written = verdicts.write(judged, place)
        _print(a.out, [written])
    rows = judged.to_dict("records")
    for row in rows:
        if row["verdict"] != "not run":
            print(_verdict(row))
    tested = judged[judged.p.notna()]
    stay = int(((tested.p <= 0.05) & (tested.p_holm <= 0.05)).sum())
    print(
        f"{len(tested)} claims judged by 95 % intervals: at most {0.05 * len(tested):.1f} false verdicts are to be expected; "
        f"of {int((tested.p <= 0.05).sum())} results {stay} stay after Holm's adjustment"
    )
    not_run = [row for row in rows if row["verdict"] == "not run"]
    for row in not_run:
        if row["incomplete"]:
            print(
                f"{a.table}: {row['domain']}: {row['claim']}: not judged: none of {row['incomplete']} seeds has all its runs"
            )
    if missing := sum(not row["incomplete"] for row in not_run):
        print(f"not run: {missing} further claims, of whose methods these runs lack some")
    for line in run_table.passed_over(table):
        print(f"{a.table}: {line}")


def _add_power(commands: Commands) -> None:
    p = commands.add_parser(
        "power",
        help="say how many seeds the claims need, by the runs in a table of runs",
        description="For each claim of which TABLE has runs: the standard deviation of its contrast over seeds, the seeds with "
        "which a difference of its margin is seen with a power of 80 %, and the difference that the seeds at hand see.",
    )
    p.add_argument(
        "table", metavar="TABLE", type=path, help="a table of runs, such as results/reference/laptop/runs.csv"
    )
    p.set_defaults(do=_power)


def _power(a: argparse.Namespace) -> None:
    from reproductions.suite.results import design, run_table
    from reproductions.suite.results.claims import all_claims

    for row in design.seeds_of_claims(all_claims(), run_table.read_runs(a.table)).to_dict("records"):
        print(f"{row['domain']:12} {row['claim']}\n{'':12} {row['seeds']} seed(s), ", end="")
        if math.isnan(row["deviation"]):
            print("no standard deviation: what more would see is not known")
            continue
        unit = f" {row['unit']}" if row["unit"] else ""
        needed = f"{row['seeds_needed']:.0f} seed(s)" if math.isfinite(row["seeds_needed"]) else "too many seeds"
        margin = f"a margin of {row['margin']:.3g} needs {needed}" if math.isfinite(row["margin"]) else "no margin"
        sees = "too few to see any" if math.isnan(row["detectable"]) else f"they see {row['detectable']:.3g}"
        print(f"standard deviation {row['deviation']:.3g}{unit}; {sees}; {margin}")


def _verdict(row: dict[Hashable, Any]) -> str:
    """A claim, its verdict and the numbers behind it, in two lines."""
    from reproductions.suite.results.statistics import Estimate

    ours = Estimate(row["ours"], row["ours_low"], row["ours_high"])
    without = f", {row['without_value']} run(s) without a value" if row["without_value"] else ""
    without += f", {row['incomplete']} incomplete seed(s) left out" if row.get("incomplete") else ""
    adjusted = f", p by Holm {row['p_holm']:.2g}" if row["p_holm"] == row["p_holm"] else ""
    seen = row.get("detectable", float("nan"))
    detectable = f", detectable at 80 % power: {seen:.3g}" if seen == seen else ""
    return (
        f"{row['verdict']:15} {row['domain']:12} {row['claim']}\n"
        f"{'':28} {row['test']}: {ours}, {row['seeds']} seed(s){adjusted}{detectable}{without}"
    )


def _add_figure(commands: Commands) -> None:
    p = commands.add_parser("figure", help="draw the figures of a domain from finished runs, as SVG and PNG")
    _add_runs(p)
    p.add_argument(
        "--only",
        metavar="NAME",
        nargs="*",
        default=[],
        help="draw these figures; a name without its problem stands for that of every problem (default: all)",
    )
    p.add_argument(
        "--replace", action="store_true", help="remove the figures in DIR that are not drawn now, once all are"
    )
    p.add_argument("--then", metavar="ARG", nargs=argparse.REMAINDER, default=[],
                   help="RUN... --out DIR and options: draw these too, in one process, which reads each run once")  # fmt: skip
    p.set_defaults(do=_figure, parser=p)


def _figure(a: argparse.Namespace) -> None:
    from functools import cache

    from reproductions.suite.figures import look, plotting
    from reproductions.suite.results import records

    registry.sweep(a.domain)
    asked = [a]
    while then := asked[-1].then:
        asked.append(a.parser.parse_args([a.domain, *then]))
    read = cache(records.read_record)
    loaded = [_of_domain(a.domain, records.load(one.runs, read)) for one in asked]
    for one, runs in zip(asked, loaded, strict=True):
        with staged(one.out, instead_of=look.ENDINGS if one.replace else ()) as place:
            figures = registry.analysis(a.domain).figures(runs)
            if not isinstance(figures, Mapping):
                rule = "must return the makers of figures by name"
                raise ConfigError(f"domain {a.domain!r}: analysis.py: figures(records) = {shown(figures)} {rule}")
            problems = list(records.of_each_problem(runs))
            asked_for = {name: meant(name, problems, figures) for name in one.only}
            if unknown := sorted(name for name, found in asked_for.items() if not found):
                there = sorted(figures)
                raise ConfigError(f"--only {shown(unknown[0])}: there is no such figure; these runs have {there}")
            wanted = {name for found in asked_for.values() for name in found}
            chosen = {name: make for name, make in figures.items() if not one.only or name in wanted}
            written = plotting.draw(chosen, place)
        _print(one.out, written)


def _add_paper(commands: Commands) -> None:
    p = commands.add_parser("paper", help="draw the paper's figures 1, 3 and 5 from finished runs of any domains")
    p.add_argument("runs", metavar="RUN", type=path, nargs="*", help="folder of a finished run (has summary.json)")
    p.add_argument("--table", type=path, metavar="FILE", help="a table of runs to draw figure 3 from (default: RUN...)")
    p.add_argument("--out", type=path, metavar="DIR", required=True, help="folder to write to")
    p.set_defaults(do=_paper)


def _paper(a: argparse.Namespace) -> None:
    from reproductions.suite.figures import paper, plotting
    from reproductions.suite.results import records, run_table

    with staged(a.out) as place:
        given = records.outcomes(a.runs) if a.runs or not a.table else []
        table = run_table.read_runs(a.table) if a.table else run_table.one_row_a_run(run_table.outcomes(given))
        written = plotting.draw(paper.figures(given, table), place)
    _print(a.out, written)


def _add_stragglers(commands: Commands) -> None:
    p = commands.add_parser(
        "stragglers",
        help="compare simulated runs by how members wait for each other: wall-clock time and score",
        description="Write stragglers.csv (means over seeds with Student's 95 % intervals), runs.csv and the figure, from runs "
        "of `run --engine simulated` that differ in --sync, --staleness, seed and the stragglers of their --cluster alone.",
    )
    p.add_argument("runs", metavar="RUN", type=path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=path, metavar="DIR", required=True, help="folder to write to")
    p.set_defaults(do=_stragglers)


def _stragglers(a: argparse.Namespace) -> None:
    from functools import partial

    from reproductions.suite.figures import plotting
    from reproductions.suite.figures.stragglers import stragglers
    from reproductions.suite.results import records
    from reproductions.suite.results.stragglers import runs, table

    loaded = records.load(a.runs)
    frame = runs(loaded)
    first = loaded[0].summary
    measure = registry.sweep(first["domain"]).MEASURE
    draw = partial(stragglers, frame, first["method"], first["problem"], measure)
    with staged(a.out) as place:
        frame.to_csv(place / "runs.csv", index=False)
        table(frame).to_csv(place / "stragglers.csv", index=False)
        written = [place / "runs.csv", place / "stragglers.csv", *plotting.draw({"stragglers": draw}, place)]
    _print(a.out, written)


def _add_runs(p: argparse.ArgumentParser) -> None:
    p.add_argument("domain", metavar="DOMAIN", help=f"one of {', '.join(registry.domains())}")
    p.add_argument("runs", metavar="RUN", type=path, nargs="+", help="folder of a finished run (has summary.json)")
    p.add_argument("--out", type=path, metavar="DIR", required=True, help="folder to write to")


def _of_domain(domain: str, records: Sequence[Record]) -> Sequence[Record]:
    from reproductions.suite.results.comparable import asked_for, must_be_comparable

    registry.sweep(domain)
    for record in records:
        if record.summary["domain"] != domain:
            raise ConfigError(f"{record.folder} is a run of domain {record.summary['domain']!r}, not {domain!r}")
    must_be_comparable(asked_for(records), budgets_differ=True)  # a table says itself whether budgets may
    return records


def _add_show(commands: Commands) -> None:
    p = commands.add_parser("show", help="print the results of a study and where to look at them")
    p.add_argument(
        "study", metavar="STUDY", type=study, help="a folder below results/ and figures/, such as laptop or laptop-demo"
    )
    p.set_defaults(do=_show)


def _show(a: argparse.Namespace) -> None:
    from reproductions.suite.results.statistics import Estimate
    from reproductions.suite.results.tables import read

    tables = sorted(folder / "comparison.csv" for folder in Path("results", a.study, "tables").glob("*"))
    tables = [table for table in tables if os.path.lexists(table)]
    if not tables:
        raise ConfigError(f"study = {a.study!r} has no tables in results/{a.study}/tables: run snakemake first")
    frames = [(file, read(file)) for file in tables]
    verdicts = Path("results", a.study, "claims", "claims.csv")
    rows = read(verdicts).to_dict("records") if os.path.lexists(verdicts) else []
    judged = [row for row in rows if row["verdict"] != "not run"]
    for file, frame in frames:
        print(f"\n{file.parent.name}: reported score of the final best member, mean over seeds [95 % interval]")
        problems, methods = (max(map(len, frame[name].astype(str))) for name in ("problem", "method"))
        for row in frame.to_dict("records"):
            estimate = Estimate(*(row[f"reported_final_mean{end}"] for end in ("", "_low", "_high")))
            cost = f"{row['member_steps_mean']:.0f} member-steps, {row['cpu_s_mean']:.0f} CPU s a run"
            lost = f" ({row['without_score']} without a finite score)" if row.get("without_score") else ""
            name = f"{row['problem']:{problems}}  {row['method']:{methods}}"
            print(f"  {name}  {estimate!s:24}  {row['seeds']} seed(s){lost}, {cost}")
    if judged:
        print("\nverdicts on the paper's claims that these runs allow, by 95 % intervals over seeds")
        print("\n".join(f"  {line}" for row in judged for line in _verdict(row).splitlines()))
    trees = sorted(Path("figures", a.study).glob("*/tree*.png"))
    report = "make report TARGET=demo" if a.study.endswith("-demo") else "make report"
    print(f"\nfigures  figures/{a.study}/" + "".join(f", family tree in {path}" for path in trees))
    print(f"tables   results/{a.study}/tables/\nMLflow   make ui\nreport   {report}")
