"""The front page's figure: what PBT gains over its baselines in every domain, with intervals, from the table of gains."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproductions.suite.figures.look import PALETTE, PLACES, counted, panels, pretty
from reproductions.suite.results.gains import BASELINES

MARKS = ("o", "s", "D", "^")


def gain_figure(table: pd.DataFrame) -> Figure:
    """A row a domain, a dot a baseline: mean paired gain with Student's 95 % interval over seeds.

    Left in standard deviations of scores over seeds, on one axis; right in the domain's own unit, where the grey band is the
    margin: the smallest relevant difference.
    """
    domains = list(dict.fromkeys(table.domain))
    height = 0.45 + 0.24 * max(1, table.groupby("domain").size().max() if len(table) else 1)
    figure, axes = panels(max(1, len(domains)), 2, 3.9, height)
    spans = table[["standard_gain", "standard_gain_low", "standard_gain_high"]].to_numpy(dtype=float)
    reach = 1.1 * max(1.0, float(np.abs(spans[np.isfinite(spans)]).max(initial=0.0)))
    for (left, right), domain in zip(axes, domains, strict=False):
        rows = table[table.domain == domain]
        _dots(left, rows, "standard_gain")
        _dots(right, rows, "gain")
        left.set_xlim(-reach, reach)
        margin = rows.margin.iloc[0]
        if margin == margin and margin is not None:
            right.axvspan(-margin, margin, color="0.85", lw=0, zorder=0)
        low, high = right.get_xlim()
        right.set_xlim(-max(-low, high), max(-low, high))
        left.set_ylabel(
            f"{textwrap.fill(pretty(domain), 14)}\n{counted(rows.seeds.tolist(), 'seed')}",
            rotation=0,
            ha="right",
            va="center",
        )
        right.set_xlabel(textwrap.fill(rows.unit.iloc[0], 45))
    axes[-1, 0].set_xlabel("standard deviations of scores over seeds")
    axes[0, 0].set_title("gain of PBT, in standard deviations")
    axes[0, 1].set_title("in the domain's unit; grey: within the margin")
    handles = {line.get_label(): line for row in axes for ax in row for line in ax.lines if line.get_label()[0] != "_"}
    order = [pretty(name) for name in BASELINES if pretty(name) in handles]
    figure.legend(
        [handles[name] for name in order], [f"over {name}" for name in order], loc="outside lower center", ncols=4
    )
    figure.suptitle(
        "PBT less its baselines at equal compute: mean over paired seeds, Student's 95 % interval", fontsize=9
    )
    return figure


def _dots(ax: Axes, rows: pd.DataFrame, column: str) -> None:
    for place, row in enumerate(rows.to_dict("records")):
        mark, shade = MARKS[BASELINES.index(row["baseline"])], PALETTE[PLACES[row["baseline"]]]
        value, low, high = (row[f"{column}{end}"] for end in ("", "_low", "_high"))
        if low == low:
            ax.plot([low, high], [place, place], color=shade, lw=2.2)
        ax.plot([value], [place], mark, color=shade, ms=5.5, label=pretty(row["baseline"]))
    ax.axvline(0, color="black", lw=0.9)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
