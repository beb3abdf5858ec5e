"""The kinds of figure that domains share, and which of them every domain has. Their look is in ``look``.

Each function draws the runs of one problem unless it says otherwise; ``by_problem`` makes the figures of every problem.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reproductions.suite.figures.family import copying_runs, lineages, tree
from reproductions.suite.figures.look import (
    PALETTE,
    Figures,
    colour,
    count_decades,
    count_steps,
    counted,
    dashes,
    draw,
    hyperparameter_axis,
    keep_proportion,
    left_out,
    mark_random_play,
    mark_scores,
    over_seeds,
    panels,
    plot_heights,
    pretty,
    problem_name,
    unit,
)
from reproductions.suite.figures.profiles import contenders, improvement, means, performance_profile
from reproductions.suite.results.records import Record, method_order, of_each_problem
from reproductions.suite.results.tables import final_scores, normalised
from reproductions.suite.study.sweep import Measure

__all__ = [
    "PALETTE", "Figures", "across_problems", "best_so_far", "by_problem", "colour", "count_steps", "draw",
    "human_normalised_scores", "improvement", "lineages", "mark_random_play", "of_domain", "panels",
    "performance_profile", "population", "pretty", "problem_name", "schedules", "score_comparison", "standard",
    "tree", "unit",
]  # fmt: skip


def of_domain(
    records: Sequence[Record], measure: Measure, own: Callable[[Sequence[Record]], Figures] | None = None
) -> Figures:
    """The figures that every domain has: the standard ones of each problem, and those over problems where scores allow them.

    ``own`` makes further ones from the runs of a problem.
    """
    across = across_problems(records, measure) if {record.problem for record in records} & set(measure.anchors) else {}
    return {
        **across,
        **by_problem(records, lambda runs: {**standard(runs, measure), **(own(runs) if own is not None else {})}),
    }


def by_problem(records: Sequence[Record], make: Callable[[Sequence[Record]], Figures]) -> Figures:
    """The figures that ``make`` draws, for every problem; with several problems, the problem's name ends the figure's."""
    grouped = of_each_problem(records)
    return {
        f"{name}_{problem}" if len(grouped) > 1 else name: figure
        for problem, runs in grouped.items()
        for name, figure in make(runs).items()
    }


def standard(records: Sequence[Record], measure: Measure) -> Figures:
    """The figures that every domain has for one problem, without those for which these runs have no data."""
    makers: dict[str, Callable[[Sequence[Record], Measure], Figure]] = {
        "scores": score_comparison,
        "best_so_far": best_so_far,
        "population": population,
        "performance_profile": performance_profile,
    }
    if _of_other_lengths(records):
        makers["trainings"] = trainings
    if copying_runs(records):
        makers |= {"schedules": schedules, "lineages": lineages, "tree": tree}
    if contenders(records):
        makers["improvement"] = improvement
    return {name: partial(make, records, measure) for name, make in makers.items()}


def across_problems(records: Sequence[Record], measure: Measure) -> Figures:
    """The figures over several problems, whose scores are compared by published scores of random play and of people."""
    figures = {"human_normalised": partial(human_normalised_scores, records, measure)}
    if len({record.problem for record in records} & set(measure.anchors)) > 1:
        figures["performance_profile"] = partial(performance_profile, records, measure)
        if contenders(records):
            figures["improvement"] = partial(improvement, records, measure)
    return figures


def score_comparison(records: Sequence[Record], measure: Measure) -> Figure:
    """A dot a seed and the mean with its 95 % bootstrap interval, by method: reported scores of the final best member."""
    frame, order = final_scores(records), method_order(records)
    figure, axes = panels(1, 1, 1.2 + min(1.25, 0.5 + 4 / len(order)) * len(order), 3.2)
    ax: Axes = axes[0, 0]
    for x, method in enumerate(order):
        mark_scores(ax, x, list(frame[frame.method == method].reported), colour(records, method))
    mark_random_play(ax, records, measure)
    keep_proportion(ax, frame.reported.mean())
    ax.set_xticks(range(len(order)), [textwrap.fill(pretty(name), 14, break_long_words=False) for name in order])
    ax.set_xlim(-0.5, len(order) - 0.5)
    if records[0].problem in measure.anchors:
        ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))  # "best" knows nothing of intervals
    ax.set_ylabel(unit(measure.reported, measure.unit))
    interval = over_seeds(frame.groupby("method").size(), "mean and 95 % bootstrap interval")
    lost = left_out(int(frame.reported.isna().sum()))
    ax.set_title(f"{problem_name(records)}: final best member\ndots are seeds, {interval}{lost}")
    return figure


def human_normalised_scores(records: Sequence[Record], measure: Measure) -> Figure:
    """A bar a method for every problem and their mean, in per cent of the way from random play to people (figure 3)."""
    frame, order = normalised(records, measure.anchors), method_order(records)
    problems = list(dict.fromkeys(frame.problem))
    figure, axes = panels(1, 1, 3.2 + 0.34 * len(problems) * len(order), 3.2)
    ax: Axes = axes[0, 0]
    width = 0.8 / len(order)
    for place, method in enumerate(order):
        rows = frame[frame.method == method].set_index("problem").reindex(problems)
        x, mean = np.arange(len(problems)) + (place - (len(order) - 1) / 2) * width, rows.human_normalised_mean
        ax.bar(x, mean, width * 0.92, color=colour(records, method), label=pretty(method))
        errors = np.array([mean - rows.human_normalised_mean_low, rows.human_normalised_mean_high - mean])
        with_interval = np.isfinite(errors).all(axis=0)  # one seed has no interval
        ax.errorbar(
            x[with_interval], mean[with_interval], errors[:, with_interval], fmt="none", color="black", capsize=3, lw=1
        )
    ax.axhline(0, color="black", lw=0.8)
    ax.set_xticks(range(len(problems)), [pretty(name) for name in problems])
    ax.set_ylabel("human-normalised score (%)\n0: random play, 100: people")
    interval = over_seeds(frame.seeds, "mean and 95 % bootstrap interval")
    # No bar where a seed has no score: a mean over the others would be too good.
    none = f"; no bar: a run without a finite score ({lost})" if (lost := int(frame.without_score.sum())) else ""
    ax.set_title(f"Final best member, {interval}{none}")
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def best_so_far(records: Sequence[Record], measure: Measure) -> Figure:
    """The score held out by the member that was best until then: mean and 95 % interval, against cost and against time.

    Left, against the steps of all members together, which every method has equally many of; right, against those of one member:
    a wall-clock on which every member has a worker of its own, whatever machine a run was made on.
    """
    figure, axes = panels(1, 2, 4.6, 3.2, sharey=True)
    longest: list[int] = []
    climbed: list[float] = []
    drawn: list[float] = []
    for method in method_order(records):
        runs = [record for record in records if record.method == method]
        curves = [run.best_so_far(reported=measure.held_out is not None) for run in runs]
        steps = curves[0].index.to_numpy()
        longest.append(int(steps[-1]))
        stacked = np.array([curve.reindex(steps, method="ffill").to_numpy(dtype=float) for curve in curves])
        value, low, high = means(stacked)
        style = {"color": colour(records, method), "ls": dashes(records, method)}
        # Where a curve is after a tenth of its steps: what is lower is the climb of all, beside which nothing else is seen.
        climbed.append(value[np.searchsorted(steps, steps[-1] / 10)])
        drawn += [*low, *high] if len(runs) > 1 else [*value]
        for ax, x in zip(axes[0], (steps * len(runs[0].lineage.members), steps), strict=True):
            ax.plot(x, value, label=pretty(method), **style)
            if len(runs) > 1:
                ax.fill_between(x, low, high, color=colour(records, method), alpha=0.2, lw=0)
    for ax, label in zip(axes[0], (f"{measure.step} of all members", f"{measure.step} of each member"), strict=True):
        mark_random_play(ax, records, measure)
        count_steps(ax, label)
    focus_on_the_late(axes[0, 0], climbed, drawn)
    ax = axes[0, 1]
    if max(longest) > 2 * min(longest):  # otherwise the shortest, PBT among them, would be a spot at the edge
        ax.set_xscale("log")
    axes[0, 0].set_ylabel(f"{unit(measure.held_out or measure.score, measure.unit)}\nof the best so far")
    band = over_seeds(Counter(record.method for record in records).values(), "band: 95 % bootstrap interval")
    axes[0, 0].set_title("against cost")
    ax.set_title("against time, a worker for each member")
    figure.suptitle(f"{problem_name(records)}: mean over seeds, {band}", fontsize=9)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def focus_on_the_late(ax: Axes, climbed: Sequence[float], drawn: Sequence[float]) -> None:
    """Let the score axis begin where the lowest curve has climbed to, if that leaves out more than half of what there is."""
    finite, starts = [v for v in drawn if np.isfinite(v)], [v for v in climbed if np.isfinite(v)]
    if starts and min(starts) > (min(finite) + max(finite)) / 2:
        ax.set_ylim(min(starts) - 0.05 * (max(finite) - min(starts)), max(finite) + 0.05 * (max(finite) - min(starts)))


def population(records: Sequence[Record], measure: Measure) -> Figure:
    """Score and hyperparameters of every member against steps, one column a method (the paper's figure 4), first seed.

    Members are thin lines; a cloned member's line goes on from its own past. Thick is the lineage of the answer's weights, with
    the scores that they had and the hyperparameters that trained them, whichever members held them. Methods whose members
    train for other lengths than PBT's are in ``trainings``.
    """
    others = _of_other_lengths(records)
    return _members([record for record in records if record not in others], measure, records)


def trainings(records: Sequence[Record], measure: Measure) -> Figure:
    """As ``population``, for methods whose members train for other numbers of steps than PBT's: one setting after another."""
    return _members(_of_other_lengths(records), measure, records)


def _of_other_lengths(records: Sequence[Record]) -> list[Record]:
    """The runs whose members have other numbers of steps than those of the first method, which is PBT if it is there."""
    usual = next(record for record in records if record.method == method_order(records)[0]).clock_steps
    return [record for record in records if record.clock_steps != usual]


def _members(records: Sequence[Record], measure: Measure, among: Sequence[Record]) -> Figure:
    """The columns of ``population``, in the colours that methods have ``among`` these runs."""
    seed = min(record.seed for record in records)
    runs = [record for record in records if record.seed == seed]
    names = list(runs[0].settings)
    figure, axes = panels(1 + len(names), len(runs), 2.9, 1.9, sharex="col", sharey="row")
    for column, run in enumerate(runs):
        frame = run.evaluations
        members = [curve for _, curve in frame.groupby("member")]
        chosen = ancestry(run)
        began = 0 if chosen.empty else run.lineage.schedule()[0].member_step  # later than 0 after a restart
        for row, name in enumerate(["score", *names]):
            ax: Axes = axes[row, column]
            for curve in members:
                _course(ax, curve, name, 0, color="0.45", lw=0.7, alpha=0.6)
            if not chosen.empty:
                _course(ax, chosen, name, began, color=colour(among, run.method), lw=1.8, zorder=3)
            if name == "score":
                mark_random_play(ax, records, measure)
            if name in measure.logarithmic:
                count_decades(ax)
            if column == 0:
                ax.set_ylabel(unit(measure.score, measure.unit) if name == "score" else measure.label(name))
        axes[0, column].set_title(f"{pretty(run.method)}, seed {seed}")
        count_steps(axes[-1, column], measure.step)
    random_play = "; dotted: random play" if records[0].problem in measure.anchors else ""
    title = (
        f"{problem_name(records)}: every member is a line; coloured: the lineage of the final best weights{random_play}"
    )
    figure.suptitle(title, fontsize=9)
    return figure


def ancestry(run: Record) -> pd.DataFrame:
    """The evaluations of the answer's weights and of those that they were copied from, oldest first; empty without one."""
    if run.lineage.best is None:
        return run.evaluations.iloc[:0]
    passed = [(s.member, s.member_step + s.stop - s.start) for s in run.lineage.schedule()]
    return run.evaluations.set_index(["member", "step"]).loc[passed].reset_index()


def _course(ax: Axes, curve: pd.DataFrame, name: str, began: int, **style: Any) -> None:
    """A column of evaluations against steps: scores as they were, hyperparameters as stairs up to the step of each."""
    if name == "score":
        ax.plot(curve["step"], curve[name], **style)
    else:  # used in the interval that ends at a step
        ax.plot([began, *curve["step"]], [curve[name].iloc[0], *curve[name]], drawstyle="steps-pre", **style)


_SEED: dict[str, Any] = {"color": "0.6", "lw": 0.8, "label": "a seed"}


def schedules(records: Sequence[Record], measure: Measure) -> Figure:
    """The hyperparameters along the lineage of the final best member, for the methods that copy weights.

    A thin line a seed, and of several seeds their median at each step.
    """
    runs = copying_runs(records)
    methods = [name for name in method_order(records) if name in {run.method for run in runs}]
    names = list(runs[0].settings)
    among = {name: [value for run in runs for value in run.settings[name]] for name in names}
    figure, axes = panels(len(names), len(methods), 3.4, 1.8 + 1.2 / len(names), sharex=True, sharey="row")
    for column, method in enumerate(methods):
        stairs: dict[str, list[pd.Series]] = {name: [] for name in names}
        for run in (run for run in runs if run.method == method and run.lineage.best is not None):
            path = run.lineage.schedule()
            steps = [segment.start for segment in path] + [path[-1].stop]
            for row, name in enumerate(names):
                values = plot_heights([segment.hyperparameters[name] for segment in path], among[name])
                stairs[name].append(pd.Series([*values, values[-1]], steps))
                axes[row, column].plot(steps, stairs[name][-1], drawstyle="steps-post", **_SEED)
        for row, name in enumerate(names):
            if len(stairs[name]) > 1:
                middle = pd.concat(stairs[name], axis=1).sort_index().ffill().median(axis=1)
                axes[row, column].plot(middle, drawstyle="steps-post", color=colour(records, method), lw=2.2)
            hyperparameter_axis(axes[row, column], name, among[name], measure)
            axes[row, 0].set_ylabel(measure.label(name))
        axes[0, column].set_title(pretty(method))
        count_steps(axes[-1, column], f"{measure.step} the weights were trained for")
    thick = Line2D([], [], color="black", lw=2.2, label="their median")
    figure.legend(handles=[Line2D([], [], **_SEED), thick], loc="outside right center", fontsize=7)
    count = counted(list(Counter(run.method for run in runs).values()), "seed")
    title = f"{problem_name(records)}: schedules along the lineage of the final best weights, {count}"
    figure.suptitle(textwrap.fill(title, 44 * len(methods)), fontsize=9)  # no wider than the panels
    return figure
