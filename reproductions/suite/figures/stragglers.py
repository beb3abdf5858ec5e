"""Synchronous against asynchronous PBT under stragglers: how long it takes, and what it costs in score."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproductions.suite.figures.look import PALETTE, over_seeds, panels, pretty
from reproductions.suite.results.stragglers import ASYNCHRONOUS, SYNCHRONOUS, VARIED, table
from reproductions.suite.study.sweep import Measure


def stragglers(frame: pd.DataFrame, method: str, problem: str, measure: Measure) -> Figure:
    """Left: virtual wall time. Right: the reported score less that of the synchronous run of the same seed.

    Both by the share of intervals that straggle, with a colour a mode: dots are seeds, marks their means with Student's 95 %
    intervals. ``frame`` is that of ``results.stragglers.runs``.
    """
    means = table(frame)
    modes = sorted(dict.fromkeys(frame["mode"]), key=lambda name: (name != SYNCHRONOUS, name == ASYNCHRONOUS, name))
    clusters = list(dict.fromkeys(zip(*(frame[key] for key in VARIED), strict=True)))
    figure, axes = panels(1, 2, 1.6 + 1.1 * len(clusters), 3.3)
    sides = (("wall_s", "virtual wall-clock seconds of a run"), ("difference", _difference(measure)))
    for ax, (column, label) in zip(axes[0], sides, strict=True):
        for place, mode in enumerate(modes):
            if column == "difference" and mode == SYNCHRONOUS:
                continue
            offset = (place - (len(modes) - 1) / 2) * 0.25
            for x, cluster in enumerate(clusters):
                values, mean = (_of(rows, mode, *cluster) for rows in (frame, means))
                _mark(ax, x + offset, values[column].to_numpy(float), mean, column, PALETTE[place])
            ax.plot([], [], "o", color=PALETTE[place], label=mode)
        ax.set_xticks(range(len(clusters)), [_cluster(*cluster) for cluster in clusters])
        ax.set_xlim(-0.5, len(clusters) - 0.5)
        ax.grid(axis="x", visible=False)
        ax.set_ylabel(label)
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 1].axhline(0, color=PALETTE[0], lw=1.2)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(modes))
    seeds = int(means["seeds"].min())
    interval = over_seeds(means["seeds"], "with Student's 95 % interval")
    title = f"{pretty(method)} on {problem.replace('_', ' ')}, simulated: dots are {seeds} seeds, marks their mean {interval}"
    figure.suptitle(title, fontsize=9)
    return figure


def _of(rows: pd.DataFrame, mode: str, share: float, slowdown: float) -> pd.DataFrame:
    """The rows of a mode on a cluster."""
    return rows[(rows["mode"] == mode) & (rows["stragglers"] == share) & (rows["slowdown"] == slowdown)]


def _mark(ax: Axes, x: float, values: np.ndarray, mean: pd.DataFrame, column: str, shade: object) -> None:
    """The seeds beside each other, their mean and its interval."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    ax.plot(x + np.linspace(-0.06, 0.06, len(values)), values, "o", ms=3, alpha=0.5, color=shade)
    value, low, high = (float(mean[f"{column}{end}"].iloc[0]) for end in ("", "_low", "_high"))
    errors = [[value - low], [high - value]] if np.isfinite(low) else None
    ax.errorbar(x, value, errors, fmt="_", color="black", ms=12, capsize=4, lw=1.2, zorder=3)


def _difference(measure: Measure) -> str:
    units = f" ({measure.unit})" if measure.unit else ""
    return f"{measure.reported}{units}\nless that of the synchronous run"


def _cluster(share: float, slowdown: float) -> str:
    return "no stragglers" if share == 0 else f"{share:.0%} take\n{slowdown:g} times as long"
