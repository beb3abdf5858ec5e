"""Figure 3 of the paper: PBT against its baselines in every domain, from a table with one row a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproductions.suite.figures.look import PALETTE, left_out, mark_mean, over_seeds, panels, places, pretty
from reproductions.suite.results.comparable import must_be_comparable, must_be_of_one_scale
from reproductions.suite.results.gains import BASELINES
from reproductions.suite.results.scores import reported, scores_of
from reproductions.suite.study.names import DEFAULT
from reproductions.suite.study.sweep import Measure

METHODS = ("pbt", *BASELINES)
BASELINE = BASELINES[0]
PERCENT = f"% of {pretty(BASELINE)}'s mean"


def headline(
    frame: pd.DataFrame, measures: Mapping[str, Measure] | None = None, methods: Sequence[str] = METHODS
) -> Figure:
    """One panel a domain, on its own axis: a bar a method, a dot a seed, the mean with its 95 % bootstrap interval.

    ``frame`` has domain, problem, method, seed and ``reported`` (or ``final_reported``); rows of a ``variant`` other than
    "default" are left out. Units are as in ``relative``. A domain in which fewer than two of the methods ran has no panel.
    """
    scores = relative(frame, measures or {}, methods)
    shown = [name for name, group in scores.groupby("domain", sort=False) if group.method.nunique() > 1]
    columns = min(4, max(1, len(shown)))
    figure, axes = panels(-(-len(shown) // columns) or 1, columns, 0.9 + 0.7 * len(methods), 3.1)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    for ax, domain in zip(axes.flat, shown, strict=False):
        _panel(ax, scores[scores.domain == domain], methods)
        ax.set_title(pretty(str(domain)))
    seeds = scores[scores.domain.isin(shown)].groupby(["domain", "method"]).size()
    interval = over_seeds(seeds, "mean over seeds (dots) with 95 % bootstrap interval")
    figure.suptitle(f"Final best member: {interval}{left_out(scores.attrs['lost'])}", fontsize=9)
    return figure


def relative(frame: pd.DataFrame, measures: Mapping[str, Measure], methods: Sequence[str] = METHODS) -> pd.DataFrame:
    """One row a domain, method and seed: domain, method, seed, score, unit; averaged over the domain's problems.

    Where the domain's measure has anchors for all its problems, per cent of the way from random play to people. Else per
    cent of random search's mean on the same problem, which must be positive everywhere. Else, with a single problem, the score
    itself. A seed that misses a problem, or a score, is left out; ``attrs["lost"]`` counts those without a
    score. InputError for runs of several scales or budgets.
    """
    must_be_of_one_scale(frame)
    rows = frame[frame.variant == DEFAULT] if "variant" in frame else frame
    rows = rows[rows.method.isin(methods)]
    must_be_comparable(rows)
    parts, lost = [], 0
    for domain, group in rows.groupby("domain", sort=False):
        problems, measure = list(group.problem.unique()), measures.get(str(domain))
        group = group.assign(reported=reported(group, measure))
        lost += int(group.reported.isna().sum())
        base = group[group.method == BASELINE].groupby("problem").reported.mean().reindex(problems)
        if measure is not None and set(problems) <= set(measure.anchors):
            unit = "human-normalised score (%)"
            group["score"] = scores_of(group, measure)
        elif (base > 0).all():
            unit = PERCENT
            group["score"] = 100 * group.reported / group.problem.map(base)
        elif len(problems) == 1:
            unit = measure.reported if measure is not None else "reported score"
            group["score"] = group.reported
        else:
            continue
        wide = group.pivot_table(index=["method", "seed"], columns="problem", values="score", dropna=False)
        means = wide.dropna().mean(axis=1).rename("score").reset_index()
        parts.append(means.assign(domain=domain, unit=unit))
    columns = ["domain", "method", "seed", "score", "unit"]
    made = pd.concat(parts)[columns] if parts else pd.DataFrame(columns=columns)
    made.attrs["lost"] = lost
    return made


def _panel(ax: Axes, scores_of_domain: pd.DataFrame, methods: Sequence[str]) -> None:
    present = [name for name in methods if (scores_of_domain.method == name).any()]
    for x, method in enumerate(present):
        scores = scores_of_domain[scores_of_domain.method == method].score.to_numpy(dtype=float)
        shade = PALETTE[places(methods)[method]]
        ax.bar(x, scores.mean(), 0.75, color=shade, alpha=0.45)
        beside = np.linspace(-0.2, 0.2, len(scores)) if len(scores) > 1 else np.zeros(1)
        ax.plot(x + beside, scores, "o", ms=3.5, color=shade)
        mark_mean(ax, x, list(scores))
    if scores_of_domain.unit.iloc[0] == PERCENT:
        ax.axhline(100, color="black", lw=0.8, ls="--")
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(range(len(present)), [pretty(name).replace(" ", "\n") for name in present])
    ax.set_xlim(-0.6, len(present) - 0.4)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(scores_of_domain.unit.iloc[0])
