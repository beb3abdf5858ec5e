"""Variants side by side (the paper's figure 5), and scores along an ordered setting such as the size of the population."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reproductions.suite.figures.look import (
    PALETTE,
    keep_proportion,
    left_out,
    mark_scores,
    over_seeds,
    panels,
    places,
    pretty,
)
from reproductions.suite.figures.profiles import means
from reproductions.suite.results.contrasts import Contrast

#: Title of a panel -> label of a variant -> its scores.
Experiments = Mapping[str, Mapping[str, Contrast]]


def bars(experiments: Experiments, axis: str, name: str) -> Figure:
    """One panel an experiment, on one score axis: for each variant a dot a seed, their mean and its 95 % bootstrap interval.

    ``axis`` names that axis, ``name`` what all is about. No bars are filled, since it need not begin at zero.
    """
    counts = [len(variants) for variants in experiments.values()]
    words = [word for variants in experiments.values() for label in variants for word in label.split()]
    width = 0.8 + max(0.6, 0.075 * max(map(len, words), default=1)) * sum(counts)
    figure = Figure(figsize=(max(3.2, width), 3.4), layout="constrained")
    axes = figure.subplots(1, len(counts), squeeze=False, sharey=True, width_ratios=[max(1, c) for c in counts])[0]
    everything: list[float] = []
    lost = 0
    for ax, (title, variants) in zip(axes, experiments.items(), strict=True):
        for x, scores in enumerate(variants.values()):
            lost += scores.missing
            everything += scores.by_seed.values()
            mark_scores(ax, x, list(scores.by_seed.values()), PALETTE[0], spread=0.2)
        ax.set_xticks(range(len(variants)), [textwrap.fill(label, 15, break_long_words=False) for label in variants])
        ax.tick_params(axis="x", labelsize=8)
        ax.set_xlim(-0.6, len(variants) - 0.4)
        ax.grid(axis="x", visible=False)
        ax.set_title(textwrap.fill(title, max(14, 13 * len(variants))))
    if everything:
        keep_proportion(axes[0], float(np.mean(everything)))
    axes[0].set_ylabel(axis)
    seeds = [len(scores.by_seed) for variants in experiments.values() for scores in variants.values()]
    interval = over_seeds(seeds, "dots are seeds, with their mean and its 95 % bootstrap interval")
    figure.suptitle(f"{name}: {interval}{left_out(lost)}", fontsize=9)
    return figure


def curve(lines: Mapping[str, Mapping[float, Contrast]], setting: str, axis: str, name: str) -> Figure:
    """Scores against a numeric setting: a line a label through the means over seeds, with a 95 % bootstrap band.

    ``lines``: label -> value of the setting -> scores with it; ``setting`` and ``axis`` name the axes, ``name`` what all
    is about.
    """
    figure, axes = panels(1, 1, 5.2, 3.2)
    ax: Axes = axes[0, 0]
    values = sorted({value for points in lines.values() for value in points})
    seeds: list[int] = []
    lost = sum(scores.missing for points in lines.values() for scores in points.values())
    numbers = places(list(lines))
    for label, points in lines.items():
        shade = PALETTE[numbers[label] % len(PALETTE)]
        measured = {value: list(points[value].by_seed.values()) for value in sorted(points) if points[value].by_seed}
        estimates = [means(np.array(scores)[:, None]) for scores in measured.values()]
        mean, low, high = (np.array([part[i][0] for part in estimates]) for i in range(3))
        x = np.array(list(measured))
        ax.plot(x, mean, "-", color=shade, label=pretty(label))
        ax.fill_between(x, low, high, color=shade, alpha=0.2, lw=0)
        for value, scores in measured.items():
            ax.plot([value] * len(scores), scores, "o", ms=3.5, alpha=0.6, color=shade)
        seeds += map(len, measured.values())
    if min(values, default=1) > 0:
        ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(values))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(setting)
    ax.set_ylabel(axis)
    band = over_seeds(seeds, "band: 95 % bootstrap interval")
    methods = " and ".join(map(pretty, lines))
    ax.set_title(f"{name}, {methods}: mean over seeds (dots){left_out(lost)}\n{band}")
    if len(lines) > 1:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
