"""Figure 1 of the paper, the schematic of three ways to search, drawn from the events of three small real runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerPatch
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrow, FancyArrowPatch
from matplotlib.ticker import NullLocator

from reproductions.suite.figures.branches import Branch, answer, branches
from reproductions.suite.figures.look import SCORES, count_steps
from reproductions.suite.results.records import Record

TITLES = {"sequential": "Sequential search", "parallel": "Parallel random search", "pbt": "Population Based Training"}
_WIDTHS = {"sequential": 1.0, "parallel": 1.0, "pbt": 1.5}


def schematic(records: Mapping[str, Record], score: str = "score", step: str = "steps") -> Figure:
    """One panel for each of "sequential", "parallel" and "pbt" that is given: time to the right, colour is the score.

    A lane of the sequential search is a training: what began after a restart or, in a run without restarts, each member,
    one after another as a single worker would train them. Elsewhere a lane is a member. ``score`` and ``step`` name the
    colour bar and the time axis.
    """
    shown = [name for name in TITLES if name in records]
    trees = {name: branches(records[name].events) for name in shown}
    widths = [_WIDTHS[name] for name in shown]
    lanes = max(max(_lanes(name, tree)[index] for index in range(len(tree))) for name, tree in trees.items()) + 1
    figure = Figure(figsize=(3.0 * sum(widths), 1.7 + 0.34 * lanes), layout="constrained")
    axes = figure.subplots(1, len(shown), squeeze=False, width_ratios=widths)[0]
    scores = np.array([value for tree in trees.values() for branch in tree for _, value in branch.evaluated])
    scores = scores[np.isfinite(scores)]
    norm = Normalize(*(np.percentile(scores, [5, 100]) if len(scores) else (0, 1)))
    lasts = {
        name: max(branch.stop + s for branch, s in zip(tree, _shifts(name, tree), strict=True))
        for name, tree in trees.items()
    }
    for number, (ax, name) in enumerate(zip(axes, shown, strict=True)):
        tree = trees[name]
        of_lane, shifts = _lanes(name, tree), _shifts(name, tree)
        _draw(ax, tree, of_lane, shifts, norm)
        best = answer(tree, records[name].events)
        if best is not None:
            ax.plot(best[1] + shifts[best[0]], of_lane[best[0]], "*", color="black", ms=11, zorder=6, clip_on=False)
        count = max(of_lane) + 1
        lanes_are = {
            "sequential": "trainings, one after another",
            "parallel": "trainings at once",
            "pbt": "members at once",
        }
        longer = lasts[name] / min(lasts.values())
        times = f"\n({longer:.3g} times as long)" if longer > 1 else ""
        ax.set_title(f"({'abc'[number]}) {TITLES[name]}\n{count} {lanes_are[name]}{times}")
        ax.set(ylim=(count - 0.4, -0.6))
        ax.yaxis.set_major_locator(NullLocator())
        ax.set_ylabel("member" if name == "pbt" else "training")
        ax.spines["left"].set_visible(False)
        count_steps(ax, f"time ({step})")
    bar = figure.colorbar(ScalarMappable(norm, SCORES), ax=axes, extend="min", fraction=0.03, pad=0.02)
    bar.set_label(score)
    bar.ax.grid(False)
    _add_legend(figure)
    return figure


def _lanes(name: str, tree: Sequence[Branch]) -> list[int]:
    """The lane of each branch: its own where trainings follow each other, else its member's."""
    return list(range(len(tree))) if name == "sequential" else [branch.member for branch in tree]


def _shifts(name: str, tree: Sequence[Branch]) -> list[int]:
    """How much later than its member's own steps each branch is drawn: members of a sequential search wait for each other."""
    if name != "sequential":
        return [0] * len(tree)
    length: dict[int, int] = {}
    for branch in tree:
        length[branch.member] = max(length.get(branch.member, 0), branch.stop)
    return [sum(steps for member, steps in length.items() if member < branch.member) for branch in tree]


def _draw(ax: Axes, tree: Sequence[Branch], of_lane: Sequence[int], shifts: Sequence[int], norm: Normalize) -> None:
    courses, values = [], []
    end = max((branch.stop + shift for branch, shift in zip(tree, shifts, strict=True)), default=1)
    for branch, lane, shift in zip(tree, of_lane, shifts, strict=True):
        before = branch.start
        for step, value in branch.evaluated:
            courses.append([(before + shift, lane), (step + shift, lane)])
            values.append(value)
            before = step
        if branch.parent is None:
            ax.plot(branch.start + shift, lane, "o", mfc="white", mec="black", ms=6, zorder=5, clip_on=False)
        else:
            # Bent towards the past, so that copies at the same time do not cover each other, nor what comes after.
            source = of_lane[branch.parent]
            bend = f"arc3,rad={0.25 if source < lane else -0.25}"
            ends = (branch.left, source), (branch.start, lane)
            arrow = FancyArrowPatch(
                *ends, arrowstyle="-|>", mutation_scale=9, lw=1.1, color="black", zorder=4, connectionstyle=bend
            )
            ax.add_patch(arrow)
        if branch.broke:
            ax.plot(branch.stop + shift, lane, "x", color="black", ms=6, zorder=5)
        explored = [step + shift for step in branch.explored]
        # Beside the arrow's head, which ends at the same place.
        ax.plot(np.array(explored) + 0.025 * end, [lane] * len(explored), **_EXPLORED)
    lines = LineCollection(courses, linewidths=7, cmap=SCORES, norm=norm, capstyle="butt", zorder=2)
    lines.set_array(np.ma.masked_invalid(values))
    ax.add_collection(lines)
    ax.set_xlim(-0.02 * end, 1.02 * end)


_EXPLORED: dict[str, Any] = {"ls": "none", "marker": "D", "mfc": "white", "mec": "black", "ms": 4.5, "zorder": 5}


def _add_legend(figure: Figure) -> None:
    arrow = FancyArrow(0, 0, 1, 0, color="black")
    handles = [
        Line2D([], [], ls="none", marker="o", mfc="white", mec="black", ms=6),
        arrow,
        Line2D([], [], **_EXPLORED),
        Line2D([], [], ls="none", marker="*", color="black", ms=10),
    ]
    labels = [
        "fresh weights, hyperparameters drawn",
        "exploit: copy weights",
        "explore: change hyperparameters",
        "best at the end",
    ]

    def draw_arrow(width: float, height: float) -> FancyArrowPatch:
        ends = (0, height / 2), (width, height / 2)
        return FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=9, lw=1.1, color="black")

    handler = HandlerPatch(patch_func=lambda width, height, **_: draw_arrow(width, height))
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, handler_map={FancyArrow: handler})
