"""The paper's figures that compare across experiments: 1 and 5 from whichever runs there are, 3 from a table of runs.

Figures 2 and 9 are the toy's ``figure2`` and the GAN's ``samples``; 4 and 8 are every domain's ``population``, 6 its
``lineages`` and 7 its ``tree``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from reproductions.suite.figures.ablations import bars, curve
from reproductions.suite.figures.gains import gain_figure
from reproductions.suite.figures.headline import headline
from reproductions.suite.figures.look import Figures, pretty, unit
from reproductions.suite.figures.schematic import schematic
from reproductions.suite.results.comparable import asked_for, must_be_comparable
from reproductions.suite.results.contrasts import by_seed
from reproductions.suite.results.gains import gains
from reproductions.suite.results.records import Outcome, method_order, read_record
from reproductions.suite.results.run_table import outcomes
from reproductions.suite.study import registry
from reproductions.suite.study.sweep import Measure

#: Figure 1: its panels and the runs that they are drawn from.
SCHEMATIC = {"sequential": "tpe (one-by-one)", "parallel": "random_search (six)", "pbt": "pbt (six)"}

#: Figure 5: its panels, the labels of their variants, and the methods that these are; one of population sizes comes before.
PANELS: Mapping[str, Mapping[str, str]] = {
    "Exploiter": {"truncation": "pbt", "T-test": "pbt_t_test", "tournament": "pbt_tournament"},
    "What is copied": {
        "nothing": "random_search",
        "hyper- parameters": "hyperparameters_only",
        "weights": "weights_only",
        "both": "pbt",
    },
    "The schedule, trained anew": {
        "final values": "replay (final)",
        "shuffled schedule": "replay (shuffled)",
        "schedule": "replay",
        "PBT": "pbt",
    },
}

#: Settings along which scores are drawn: file name, name of the axis, and where it stands in a run's settings.
SETTINGS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "population_size": ("population size", ("population",)),
    "truncation_fraction": ("truncation fraction", ("search", "exploit", "fraction")),
    "ready_interval": ("steps between two chances to copy", ("search", "ready")),
}
#: The methods that have a line there.
LINES = ("pbt", "random_search")


def figures(runs: Sequence[Outcome], table: pd.DataFrame) -> Figures:
    """The figures that can be drawn from these runs: by its name, the function that draws it.

    ``table`` has one row a run, of all domains: ``gains`` and figure 3 need nothing else, so they also
    show runs whose records were not kept. Figure 1 reads the events of its runs when it is drawn, no other needs any.
    InputError for runs of several scales, and for seeds of a method with different budgets.
    """
    must_be_comparable(asked_for(runs), budgets_differ=True)
    measures: dict[str, Measure] = {name: registry.sweep(name).MEASURE for name in registry.domains()}
    drawable: dict[str, Callable[[], Figure]] = {"figure3": partial(headline, table, measures)}
    if len(gained := gains(table)):
        drawable["gains"] = partial(gain_figure, gained)
    for domain, measure in measures.items():
        of_domain = [run for run in runs if run.summary["domain"] == domain]
        if "figure1" not in drawable and (drawn := _first_of(SCHEMATIC, of_domain)):
            drawable["figure1"] = partial(_schematic, drawn, f"{measure.score} ({measure.unit})", measure.step)
        drawable |= _ablations(domain, of_domain)
    return drawable


def _ablations(domain: str, runs: Sequence[Outcome]) -> Figures:
    """Figure 5 of a domain, and its curves along settings, as far as runs of two variants are there."""
    if not runs:
        return {}
    measure, frame = registry.sweep(domain).MEASURE, outcomes(runs)
    problems = {run.problem for run in runs}
    axis = (
        unit("human-normalised score", "%")
        if problems <= set(measure.anchors)
        else unit(measure.reported, measure.unit)
    )
    about = pretty(min(problems) if len(problems) == 1 else domain)
    # A mean over fewer problems than the others' would say nothing beside them.
    whole = [name for name in method_order(runs) if {run.problem for run in runs if run.method == name} == problems]
    scores = {method: by_seed(domain, method, frame) for method in whole}
    sizes = along(runs, "pbt", SETTINGS["population_size"][1])
    named = {"Population size": {f"{size:g}": method for size, method in sizes.items()}, **PANELS}
    there = {
        title: {label: scores[method] for label, method in variants.items() if method in scores}
        for title, variants in named.items()
    }
    made: dict[str, Callable[[], Figure]] = {}
    if panels := {title: variants for title, variants in there.items() if len(variants) > 1}:
        made[f"figure5_{domain}"] = partial(bars, panels, axis, about)
    for name, (setting, place) in SETTINGS.items():
        lines = {
            method: {value: scores[name] for value, name in along(runs, method, place).items() if name in scores}
            for method in LINES
        }
        if lines := {method: points for method, points in lines.items() if len(points) > 1}:
            made[f"{name}_{domain}"] = partial(curve, lines, setting, axis, about)
    return made


def along(runs: Sequence[Outcome], method: str, place: Sequence[str]) -> dict[float, str]:
    """The variants of a method that differ from it by one setting alone, by the value of that: ascending, the method included.

    Empty where the method itself was not run, or has no such setting.
    """
    settings = {run.method: run.summary["settings"] for run in runs if run.summary["method"] == method}
    if method not in settings:
        return {}
    _, others = _taken(settings[method], place)
    found = {name: _taken(of_variant, place) for name, of_variant in settings.items()}
    return dict(sorted((value, name) for name, (value, rest) in found.items() if value is not None and rest == others))


def _taken(settings: Mapping[str, Any], place: Sequence[str]) -> tuple[float | None, dict[str, Any]]:
    """The value of a setting, None where there is none, and all other settings of the study: not the run's name."""
    first, *further = place
    if further:
        inner = settings.get(first)
        value, rest = _taken(inner, further) if isinstance(inner, Mapping) else (None, inner)
        remaining = {**settings, first: rest}
    else:
        value, remaining = settings.get(first), {name: other for name, other in settings.items() if name != first}
    return value, {name: other for name, other in remaining.items() if name not in ("variant", "seed", "problem")}


def _first_of(panels: Mapping[str, str], runs: Sequence[Outcome]) -> dict[str, Path]:
    """By panel, the folder of its method's first run; panels without one are left out."""
    by_method = {run.method: run.folder for run in sorted(runs, key=lambda run: run.name, reverse=True)}
    return {panel: by_method[method] for panel, method in panels.items() if method in by_method}


def _schematic(folders: Mapping[str, Path], score: str, step: str) -> Figure:
    return schematic({panel: read_record(folder) for panel, folder in folders.items()}, score, step)
