"""A study as one HTML file that opens offline: what was claimed, done and found, at which cost. All values come from tables."""

from __future__ import annotations

import base64
import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from reproductions.suite.figures.captions import described
from reproductions.suite.figures.look import counted, pretty
from reproductions.suite.publish import packing
from reproductions.suite.publish.pictures import KINDS, pictures
from reproductions.suite.publish.readme import cell
from reproductions.suite.publish.reference import packed
from reproductions.suite.results import gains, run_table, verdicts
from reproductions.suite.results.claims import all_claims
from reproductions.suite.results.schemas import Provenance
from reproductions.suite.results.statistics import Estimate
from reproductions.suite.results.tables import read
from reproductions.suite.results.words import Verdict
from reproductions.suite.study import registry
from reproductions.suite.study.inputs import folder_at, read_model
from reproductions.suite.study.names import DEFAULT
from reproductions.suite.study.registry import ConfigError

TEMPLATES = Path(__file__).parent / "templates"
#: What is said of each verdict, above its claims.
MEANINGS: Mapping[Verdict, str] = {
    "reproduced": "A paper claims it, and the whole 95 % interval lies on the side that is claimed.",
    "holds": "No paper claims it; the whole interval lies on that side.",
    "no difference": "The interval lies on both sides, and all of it within the margin.",
    "not reproduced": "A paper claims it, and the whole interval lies on the other side.",
    "does not hold": "No paper claims it; the whole interval lies on the other side.",
    "inconclusive": "The interval lies on both sides, and reaches beyond the margin; or there is none.",
    "not run": "Some of its methods have no runs yet.",
}
#: Figures of a domain, in the order in which they are read; others follow by name.
ORDER = ("figure2", "scores", "best_so_far", "population", "schedules", "lineages", "tree", "samples")
#: What is shown of a run's settings beside its task's.
_SIZES = ("population", "steps", "interval")


def report(study: str, kept: Path, figures: Path) -> str:
    """The HTML of a study whose tables are in the folder ``kept`` and whose figures, if any, are in ``figures``.

    ConfigError, or InputError for a file that is not what it should be, in one line.
    """
    if not os.path.lexists(kept / "runs.csv"):
        raise ConfigError(f"study = {study!r} has no table of runs in {kept}: run `python -m reproductions reference`")
    if os.path.lexists(figures):
        folder_at(figures)
    runs = run_table.read_runs(kept / "runs.csv")
    judged = verdicts.judge(all_claims(), runs)
    gained = gains.gains(runs)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    domains = [name for name in registry.domains() if name in set(runs.domain)]
    return environment.get_template("report.html.j2").render(
        study=study,
        pretty=pretty,
        described=described,
        results=int((judged.p <= 0.05).sum()),
        stay=int(((judged.p <= 0.05) & (judged.p_holm <= 0.05)).sum()),
        runs=len(runs),
        cpu_hours=runs.cpu_s.sum() / 3600,
        verdicts=[(name, meaning, _claims(judged, name)) for name, meaning in MEANINGS.items()],
        front=_pictures(figures / "paper", ("gains", "figure1", "figure5")),
        domains=[_domain(name, _experiments(kept, name), runs, gained, kept, figures) for name in domains],
        places=_places(kept / "provenance.json"),
    )


def _claims(judged: pd.DataFrame, name: str) -> list[dict[str, Any]]:
    rows = judged[judged.verdict == name].to_dict("records")
    return [
        {
            **{str(key): value for key, value in row.items()},
            "shown": str(Estimate(row["ours"], row["ours_low"], row["ours_high"])),
            "margin": cell(row["margin"], ".3g"),
            "detectable": cell(row["detectable"], ".3g"),
            "p_holm": cell(row["p_holm"], ".2g"),
        }
        for row in rows
    ]


def _experiments(kept: Path, domain: str) -> list[str]:
    """The experiments whose tables are about a domain: its own, and those that claims about it name."""
    named = dict.fromkeys([domain, *(claim.experiment for claim in all_claims() if claim.domain == domain)])
    return [name for name in named if os.path.lexists(kept / "tables" / name / "comparison.csv")]


def _domain(
    name: str, experiments: Sequence[str], runs: pd.DataFrame, gained: pd.DataFrame, kept: Path, figures: Path
) -> dict[str, Any]:
    ours = runs[runs.domain == name]
    rows = gained[gained.domain == name].to_dict("records") if len(gained) else []
    return {
        "name": name,
        "runs": len(ours),
        "cpu_hours": ours.cpu_s.sum() / 3600,
        "commits": sorted({str(commit)[:10] for commit in ours.commit.dropna()}),
        "seeds": counted(ours.groupby(["problem", "method", "variant"]).seed.nunique().tolist(), "seed"),
        "gains": [_sentence(row) for row in rows],
        "sizes": _sizes(name, packed(kept, name)),
        "tables": {one: _comparison(kept / "tables" / one / "comparison.csv") for one in experiments},
        "figures": {one: _pictures(figures / one, ORDER, everything=True) for one in experiments},
        "expected": [dataclasses.asdict(number) for number in registry.sweep(name).EXPECTED],
    }


def _sentence(row: Mapping[Any, Any]) -> str:
    """What PBT gains over a baseline, in words."""
    against, gain = pretty(row["baseline"]), row["gain"]
    if math.isnan(gain):
        return f"Against {against}: a run has no finite score."
    less = f"PBT less {against}: {gain:.3g} {row['unit']}"
    if math.isnan(row["gain_low"]):
        return f"{less} ({counted([row['seeds']], 'seed')}: no interval)."
    deviations = (
        "" if math.isnan(row["standard_gain"]) else f", {row['standard_gain']:.2f} standard deviations over seeds"
    )
    return f"{less} (95 % interval {row['gain_low']:.3g} to {row['gain_high']:.3g}, {row['seeds']} seeds{deviations})."


def _sizes(domain: str, records: Path) -> list[tuple[str, str, str]]:
    """What was run beside the paper's size: name, ours, the paper's. Ours is that of PBT in the kept records, if any."""
    if not os.path.lexists(records):
        return []
    runs = [run for run in packing.summaries(records) if (run["method"], run["variant"]) == ("pbt", DEFAULT)]
    if not runs:
        return []
    ours, theirs = runs[0]["settings"], registry.sweep(domain).SCALES["paper"]
    tasks = [run["settings"].get("task", {}) for run in runs]
    defaults = {field.name: field.default for field in dataclasses.fields(registry.task_class(domain))}
    rows = [("problems", ", ".join(sorted({run["problem"] for run in runs})), ", ".join(theirs.problems))]
    rows += [(name, str(ours[name]), str(getattr(theirs, name))) for name in _SIZES]
    of_paper = [{**registry.sweep(domain).PROBLEMS[problem], **theirs.task} for problem in theirs.problems]
    for key in dict.fromkeys(key for task in (*tasks, *of_paper) for key in task):
        ours_is, theirs_is = ({str(task.get(key, defaults.get(key))) for task in side} for side in (tasks, of_paper))
        rows.append((f"task: {key}", ", ".join(sorted(ours_is)), ", ".join(sorted(theirs_is))))
    return rows


def _comparison(path: Path) -> list[dict[str, str]]:
    rows = read(path).to_dict("records")
    return [
        {
            "problem": row["problem"],
            "method": pretty(row["method"]),
            "seeds": str(row["seeds"]),
            "score": str(Estimate(*(row[f"reported_final_mean{end}"] for end in ("", "_low", "_high")))),
            "member-steps": f"{row['member_steps_mean']:.0f}",
            "CPU s": f"{row['cpu_s_mean']:.0f}",
        }
        for row in rows
    ]


def _pictures(folder: Path, order: Sequence[str], everything: bool = False) -> list[tuple[str, str]]:
    """Names and data URLs of the figures in a folder: of ``order``, then the others if ``everything``; the smaller format."""
    smallest: dict[str, tuple[str, bytes]] = {}
    for path, content in pictures(folder):
        if path.stem not in smallest or len(content) < len(smallest[path.stem][1]):
            smallest[path.stem] = KINDS[path.suffix][0], content
    first = [name for wanted in order for name in smallest if name == wanted or name.startswith(f"{wanted}_")]
    chosen = dict.fromkeys([*first, *smallest] if everything else first)
    return [(name, f"data:{kind};base64,{base64.b64encode(content).decode()}")
            for name, (kind, content) in ((name, smallest[name]) for name in chosen)]  # fmt: skip


def _places(path: Path) -> list[dict[str, str]]:
    """Versions and machines by domain, as the provenance has them."""
    if not os.path.lexists(path):
        return []
    provenance = read_model(path, Provenance).root
    return [
        {
            "domain": domain,
            "versions": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
            "machine": ", ".join(f"{key}: {value}" for key, value in sorted(machine.items())),
        }
        for domain, places in sorted(provenance.items())
        for versions, machine in places
    ]
