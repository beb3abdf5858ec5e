"""The paper's figures that compare across experiments: 1 and 5 from whichever runs there are, 3 from a table of runs.

Figures 2 and 9 are the toy's ``figure2`` and the GAN's ``samples``; 4 and 8 are every domain's ``population``, 6 its
``lineages`` and 7 its ``tree``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
from matplotlib.figure import Figure

from reproductions.suite.figures.ablations import bars, curve
from reproductions.suite.figures.gains import gain_figure
from reproductions.suite.figures.headline import headline
from reproductions.suite.figures.look import Figures
from reproductions.suite.figures.schematic import schematic
from reproductions.suite.results.comparable import asked_for, must_be_comparable
from reproductions.suite.results.gains import gains
from reproductions.suite.results.records import Outcome, read_record
from reproductions.suite.study import registry
from reproductions.suite.study.sweep import Measure

Key = TypeVar("Key")

#: The domain of figure 1 and of scores along a setting; on a cluster config/paper.yaml chooses the paper's.
ABLATED = "classifier"

#: Figure 1: its panels and the runs that they are drawn from.
SCHEMATIC = {"sequential": "tpe (one-by-one)", "parallel": "random_search (six)", "pbt": "pbt (six)"}


def _ablations(population_sizes: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The panels of figure 5, the labels of their variants, and the methods that these are."""
    return {
        "Population size": dict(population_sizes),
        "Exploiter": {"truncation": "pbt", "T-test": "pbt_t_test", "tournament": "pbt_tournament"},
        "What is copied": {
            "nothing": "random_search",
            "hyper- parameters": "hyperparameters_only",
            "weights": "weights_only",
            "both": "pbt",
        },
        "Adaptivity, trained anew": {
            "final values": "replay (final)",
            "shuffled schedule": "replay (shuffled)",
            "schedule": "replay",
            "PBT": "pbt",
        },
    }


#: Figure 5 by domain, and the ending of its name: the paper made its ablations on Atari and on the GAN.
ABLATIONS: Mapping[str, tuple[str, Mapping[str, Mapping[str, str]]]] = {
    "classifier": (
        "",
        _ablations(
            {
                "10": "pbt (population-10)",
                "20": "pbt",
                "40": "pbt (population-40)",
                "80": "pbt (population-80)",
            }
        ),
    ),
    "gan": ("_gan", _ablations({"6": "pbt (population-6)", "12": "pbt", "24": "pbt (population-24)"})),
}

#: Scores along an ordered setting: file name, name of the axis, and by line the methods at its values.
CURVES: Mapping[str, tuple[str, Mapping[str, Mapping[float, str]]]] = {
    "population_size": (
        "population size",
        {
            name: {20: name, **{size: f"{name} (population-{size})" for size in (10, 40, 80)}}
            for name in ("pbt", "random_search")
        },
    ),
    "truncation_fraction": (
        "truncation fraction",
        {"pbt": {0.2: "pbt", **{share: f"pbt (fraction-{share})" for share in (0.05, 0.1, 0.3, 0.4, 0.5)}}},
    ),
    "ready_interval": (
        "steps between two chances to copy",
        {"pbt": {50: "pbt", **{steps: f"pbt (ready-{steps})" for steps in (100, 200, 300, 500, 750)}}},
    ),
}


def figures(runs: Sequence[Outcome], table: pd.DataFrame) -> Figures:
    """The figures that can be drawn from these runs: by its name, the function that draws it.

    ``table`` has one row a run, of all domains: ``gains`` and figure 3 need nothing else, so they also
    show runs whose records were not kept. Figure 1 reads the events of its runs when it is drawn, no other needs any.
    InputError for runs of several scales, and for seeds of a method with different budgets.
    """
    must_be_comparable(asked_for(runs), budgets_differ=True)
    measures: dict[str, Measure] = {name: registry.sweep(name).MEASURE for name in registry.domains()}
    runs_of: dict[str, dict[str, list[Outcome]]] = {domain: {} for domain in (ABLATED, *ABLATIONS)}
    for run in sorted(runs, key=lambda run: run.name):
        if (domain := run.summary["domain"]) in runs_of:
            runs_of[domain].setdefault(run.method, []).append(run)
    by_method = runs_of[ABLATED]
    drawable = {"figure3": partial(headline, table, measures)}
    if len(gained := gains(table)):
        drawable["gains"] = partial(gain_figure, gained)
    if drawn := {panel: by_method[name][0].folder for panel, name in SCHEMATIC.items() if name in by_method}:
        measure = measures[ABLATED]
        drawable["figure1"] = partial(_schematic, drawn, f"{measure.score} ({measure.unit})", measure.step)
    for domain, (ending, ablations) in ABLATIONS.items():
        panels = {title: _present(variants, runs_of[domain]) for title, variants in ablations.items()}
        if panels := {title: variants for title, variants in panels.items() if sum(map(bool, variants.values())) > 1}:
            drawable[f"figure5{ending}"] = partial(bars, panels, measures[domain])
    for name, (setting, lines) in CURVES.items():
        shown = {line: _present(points, by_method) for line, points in lines.items()}
        points = {line: {x: runs for x, runs in runs_at.items() if runs} for line, runs_at in shown.items()}
        if points := {line: runs for line, runs in points.items() if len(runs) > 1}:
            drawable[name] = partial(curve, points, setting, measures[ABLATED])
    return drawable


def _schematic(folders: Mapping[str, Path], score: str, step: str) -> Figure:
    return schematic({panel: read_record(folder) for panel, folder in folders.items()}, score, step)


def _present(names: Mapping[Key, str], by_method: Mapping[str, Sequence[Outcome]]) -> dict[Key, Sequence[Outcome]]:
    return {key: by_method.get(name, ()) for key, name in names.items()}
