"""Families of weights: the hyperparameters along every lineage (the paper's figure 6) and the family tree (figure 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from reproductions.suite.figures.branches import Branch, answer, branches, founders
from reproductions.suite.figures.look import (
    SCORES,
    colour,
    count_steps,
    counted,
    hyperparameter_axis,
    panels,
    plot_heights,
    pretty,
    problem_name,
    unit,
)
from reproductions.suite.figures.phylogeny import Line, line_height, lines
from reproductions.suite.results.records import Record, method_order
from reproductions.suite.study.sweep import Measure


def copying_runs(records: Sequence[Record]) -> list[Record]:
    """The runs of PBT and its relatives: methods whose names begin with pbt, or that copied weights in any of these runs."""
    copying = {r.method for r in records if any(event["weights"] for event in r.events.others("cloned"))}
    return [record for record in records if record.method.startswith("pbt") or record.method in copying]


def first_runs(records: Sequence[Record]) -> list[Record]:
    """The run with the lowest seed of each method, in the order of the methods."""
    by_seed = sorted(records, key=lambda record: record.seed)
    return [next(run for run in by_seed if run.method == method) for method in method_order(records)]


def lineages(records: Sequence[Record], measure: Measure) -> Figure:
    """Each hyperparameter along the lineages of all final members, one column a method that copies weights, first seed.

    A lineage is the hyperparameters that some final weights were trained with, from their first step; lineages with common
    ancestors coincide there. That of the final best member is thick.
    """
    runs = first_runs(copying_runs(records))
    names = list(runs[0].settings)
    among = {name: [value for run in runs for value in run.settings[name]] for name in names}
    figure, axes = panels(len(names), len(runs), 3.4, 1.8 + 1.2 / len(names), sharex=True, sharey="row")
    for column, run in enumerate(runs):
        of_best = [] if run.lineage.best is None else [run.lineage.schedule()]
        paths = [path for path in map(run.lineage.schedule, run.lineage.members) if path] + of_best
        for row, name in enumerate(names):
            ax: Axes = axes[row, column]
            for number, path in enumerate(paths):
                best = number >= len(paths) - len(of_best)
                style: dict[str, Any] = {"lw": 0.8, "color": "0.45", "alpha": 0.6}
                if best:
                    style = {"lw": 2, "color": colour(records, run.method), "zorder": 3}
                steps = [segment.start for segment in path] + [path[-1].stop]
                values = plot_heights([segment.hyperparameters[name] for segment in path], among[name])
                ax.plot(steps, [*values, values[-1]], drawstyle="steps-post", **style)
            hyperparameter_axis(ax, name, among[name], measure)
            if column == 0:
                ax.set_ylabel(measure.label(name))
        axes[0, column].set_title(_heading(run, *founders(branches(run.events))))
        count_steps(axes[-1, column], f"{measure.step} the weights were trained for")
    title = f"{problem_name(records)}: lineages of all final members (thick: of the best)"
    figure.suptitle(title, fontsize=9)
    return figure


def tree(records: Sequence[Record], measure: Measure) -> Figure:
    """The family tree of a population's weights, one panel a method that copies weights, first seed (the paper's figure 7).

    Lines fork where weights were copied. Ancestors of final members are thick, branches that died out are faint. At a fork
    the figure does not say which line is the parent's and which its child's.
    """
    runs = first_runs(copying_runs(records))
    trees = [branches(run.events) for run in runs]
    drawn = [lines(tree, answer(tree, run.events)) for tree, run in zip(trees, runs, strict=True)]
    tall = [
        sum(line_height(line, tree) for line in drawn_lines) for drawn_lines, tree in zip(drawn, trees, strict=True)
    ]
    columns = min(4, len(runs))
    # One tree may fill a page, several share it.
    height = float(
        np.clip(0.17 * max(tall) + 1.2, 2.8, 8.5 if len(runs) == 1 else 6.5 if len(runs) <= columns else 5.0)
    )
    figure, axes = panels(-(-len(runs) // columns), columns, 5.6 if columns == 1 else 3.6, height)
    scores = np.array([score for tree in trees for branch in tree for _, score in branch.evaluated])
    scores = scores[np.isfinite(scores)]
    # The low scores of the beginning must not leave one colour to all others.
    norm = Normalize(*(np.percentile(scores, [25, 100]) if len(scores) else (0, 1)))
    fresh = any(branch.parent is None and branch.start for tree in trees for branch in tree)
    marks: set[str] = set()
    for ax, run, tree, drawn_lines, total in zip(axes.flat, runs, trees, drawn, tall, strict=False):
        pitch = 72 * (height - 1.3) / total  # points between two final members
        placed = _placed(tree, drawn_lines, answer(tree, run.events))
        _draw_tree(ax, placed, norm, pitch)
        marks |= placed.marks
        ax.set_title(_heading(run, *founders(tree)))
        count_steps(ax, measure.step if fresh else f"{measure.step} the weights were trained for")
    for ax in axes.flat[len(runs) :]:
        ax.set_axis_off()
    bar = figure.colorbar(ScalarMappable(norm, SCORES), ax=axes, extend="min", aspect=35, fraction=0.03, pad=0.02)
    bar.set_label(unit(measure.score, measure.unit))
    bar.ax.grid(False)
    figure.legend(handles=_legend(marks), loc="outside lower center", ncols=3, fontsize=7)
    figure.suptitle(f"{problem_name(records)}: family tree of the population's weights", fontsize=9)
    return figure


Point = tuple[float, float]


@dataclass(frozen=True)
class _Placed:
    """What of a tree lies where: courses with the score that colours them, by layer, and the points that are marked.

    ``ends``: of final members, with their numbers. ``best``: where the course of the best ends.
    """

    layers: Mapping[str, Sequence[tuple[Sequence[Point], float]]]
    broken: Sequence[Point]
    ends: Sequence[tuple[float, float, int]]
    best: Point | None
    rows: tuple[float, float]

    @property
    def marks(self) -> set[str]:
        """Which marks occur."""
        return ({"best"} if self.best is not None else set()) | ({"broken"} if self.broken else set())


def _placed(tree: Sequence[Branch], drawn_lines: Sequence[Line], best: tuple[int, int] | None) -> _Placed:
    """The pieces of all lines and the forks between them, by how they are drawn."""
    layers: dict[str, list[tuple[list[Point], float]]] = {"faint": [], "best": [], "strong": []}
    broken: list[Point] = []
    for line in drawn_lines:
        pieces = [([(p.begin, line.row), (p.end, line.row)], p.score, p.kept, p.best) for p in line.pieces]
        if line.parent is not None:
            first = pieces[0][2:] if pieces else (tree[line.last].final, False)
            pieces.append(([(line.begin, drawn_lines[line.parent].row), (line.begin, line.row)], line.score, *first))
        for course, score, kept, chosen in pieces:
            layers["strong" if kept else "faint"].append((course, score))
            if chosen:
                layers["best"].append((course, score))
        broken += [(piece.end, line.row) for piece in line.pieces if piece.broke]
        if not line.pieces and tree[line.last].broke:
            broken.append((line.begin, line.row))
    of_best = [(piece.end, line.row) for line in drawn_lines for piece in line.pieces if piece.best]
    return _Placed(
        layers,
        broken,
        ends=[(line.end, line.row, tree[line.last].member) for line in drawn_lines if tree[line.last].final],
        best=max(of_best) if best is not None else None,
        rows=(min(line.row for line in drawn_lines), max(line.row for line in drawn_lines)),
    )


def _draw_tree(ax: Axes, placed: _Placed, norm: Normalize, pitch: float) -> None:
    """Draw one tree. ``pitch``: points between two final members."""
    thick, thin = float(np.clip(0.45 * pitch, 0.9, 3.0)), float(np.clip(0.2 * pitch, 0.4, 1.0))
    # A black line below the coloured ones frames the ancestors of the best.
    for order, (name, width) in enumerate({"faint": thin, "best": thick + 1.8, "strong": thick}.items()):
        layer = placed.layers[name]
        courses = LineCollection([course for course, _ in layer], linewidths=width, zorder=2 + order / 4)
        courses.set(capstyle="projecting" if name != "faint" else "butt", alpha=0.5 if name == "faint" else 1)
        if name == "best":
            courses.set_color("black")
        else:
            courses.set(cmap=SCORES, norm=norm, array=np.ma.masked_invalid([score for _, score in layer]))
        ax.add_collection(courses)
    dot = float(np.clip(0.45 * pitch, 1.5, 4.5))
    cross: dict[str, Any] = {"marker": "x", "ls": "none", "ms": min(5.0, 0.6 * pitch), "mew": 0.8}
    ax.plot(*np.array(placed.ends)[:, :2].T, "o", color="black", ms=dot, zorder=5)
    ax.plot([x for x, _ in placed.broken], [y for _, y in placed.broken], color="black", zorder=4, **cross)
    if placed.best is not None:
        ax.plot(*placed.best, "*", color="black", ms=max(9.0, 2 * dot), zorder=6, clip_on=False)
    if pitch > 7:  # a name needs that much room
        for x, y, member in placed.ends:
            ax.annotate(str(member), (x, y), (7, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_ylim(placed.rows[1] + 0.8, placed.rows[0] - 0.8)
    ax.yaxis.set_major_locator(NullLocator())
    ax.spines["left"].set_visible(False)
    ax.autoscale_view(scaley=False)


def _legend(marks: set[str]) -> list[Line2D]:
    shade = SCORES(0.5)
    handles = [
        Line2D([], [], lw=3, color=shade, label="a final member descends from it"),
        Line2D([], [], lw=0.8, alpha=0.5, color=shade, label="died out"),
        Line2D([], [], ls="none", marker="o", ms=4, color="black", label="final member"),
    ]
    if "best" in marks:
        handles.append(Line2D([], [], ls="none", marker="*", ms=9, color="black", label="best; framed: its ancestors"))
    if "broken" in marks:
        handles.append(
            Line2D([], [], ls="none", marker="x", ms=5, color="black", label="diverged or failed; grey: no score")
        )
    return handles


def _heading(run: Record, remain: int, began: int) -> str:
    return f"{pretty(run.method)}, seed {run.seed}\n{remain} of {counted([began], 'founder')} left"
