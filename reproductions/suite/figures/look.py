"""The look of all figures: colours, style, axes, and how scores of seeds are marked. Equal inputs give equal bytes."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, LogFormatter, MaxNLocator, NullLocator
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from pbt_core.files import collector_paused
from reproductions.suite.results import statistics
from reproductions.suite.results.illustration import NoIllustration
from reproductions.suite.results.records import Record, method_order
from reproductions.suite.study.sweep import Measure

matplotlib.use("agg")
#: Names, or words in them, that are acronyms, and what else people write otherwise than files do.
ACRONYMS = re.compile(r"\b(pbt|pb2|tpe|gp|asha|gan)\b")
WRITTEN = {
    "t test": "T-test",
    "mf pbt": "MF-PBT",
    "fire pbt": "FIRE PBT",
    "fashion mnist": "Fashion-MNIST",
    "atari": "Atari",
    "starcraft": "StarCraft II",
    "dmlab": "first-person levels",
}
#: Colours that colour-blind people can tell apart, and that do not vanish on white or among grey lines; then darker shades.
_COLOURS = sns.color_palette("colorblind")
PALETTE = [_COLOURS[number] for number in (0, 1, 2, 3, 4, 5, 9)]
PALETTE += [tuple(0.45 * part for part in _COLOURS[number]) for number in (0, 1, 2, 3, 4, 5, 9, 6, 7, 8)]
#: The methods that most studies have, whose colours are the same in every figure: their places in the palette.
PLACES = {
    "pbt": 0,
    "random_search": 1,
    "random_schedules": 2,
    "hand_tuned": 3,
    "weights_only": 4,
    "hand_set": 5,
    "pbt_t_test": 6,
    "pbt_tournament": 7,
    "replay": 8,
    "hyperparameters_only": 9,
}
#: Styles of lines: where two lines lie on each other, both can be seen.
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)))
#: Dark is low, light is high, grey is no score; without the lightest end, which would vanish on white.
SCORES: Colormap = ListedColormap(matplotlib.colormaps["viridis"](np.linspace(0, 0.92, 256)), "scores").with_extremes(
    bad="0.6"
)
STYLE = {
    **sns.axes_style("whitegrid"),
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "font.size": 9,
    "axes.titlesize": 10,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.linewidth": 0.5,
    "svg.hashsalt": "pbt",
    "svg.fonttype": "none",
}
Figures = Mapping[str, Callable[[], Figure]]


#: Of the files of a figure.
ENDINGS = (".svg", ".png")


def draw(figures: Figures, out: Path) -> list[Path]:
    """Draw each figure in the common style and write it as SVG and PNG into the folder ``out`` (made if missing).

    A figure of runs that left no illustration is left out, with a line that says so.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with matplotlib.rc_context(STYLE):
        for name, make in figures.items():
            try:
                with collector_paused():  # a figure is a hundred thousand objects that stay until it is written
                    written += _write(make(), out / name)
            except NoIllustration as lacking:
                print(f"left out: figure {name}: {lacking}", file=sys.stderr)
    return written


def _write(figure: Figure, path: Path) -> list[Path]:
    """Write a figure as ``path`` with the suffixes of its formats."""
    box, written = arrange(figure), []
    for suffix, metadata in zip(ENDINGS, ({"Date": None}, {"Software": None}), strict=True):
        written.append(path.with_name(path.name + suffix))
        figure.savefig(written[-1], format=suffix[1:], bbox_inches=box, metadata=metadata)
    return written


def arrange(figure: Figure) -> Bbox:
    """Compute the layout once, not again for each file, since it is most of the cost of drawing; returns the area to save."""
    FigureCanvasAgg(figure)
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # a placeholder would have every file drawn twice
    return figure.get_tightbbox().padded(0.1)


def panels(rows: int, columns: int, width: float, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure of its own (no pyplot, so nothing is kept in memory) and its axes [rows, columns]."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def colour(records: Sequence[Record], method: str) -> tuple[float, float, float]:
    """The colour of a method: that of ``PLACES``, or else the same in every figure over these runs."""
    rgb: tuple[float, float, float] = PALETTE[places(method_order(records))[method] % len(PALETTE)]
    return rgb


def dashes(records: Sequence[Record], method: str) -> Any:
    """The line style of a method: the same wherever its colour is."""
    return DASHES[places(method_order(records))[method] % len(DASHES)]


def places(methods: Sequence[str]) -> dict[str, int]:
    """By method, the number of its colour: that of ``PLACES``; others, in their order, take those that are free."""
    taken = {name: PLACES[name] for name in methods if name in PLACES}
    free = (number for number in count() if number not in taken.values())
    return {name: taken[name] if name in taken else next(free) for name in methods}


def pretty(method: str) -> str:
    """``random_search`` as people write it, and short names such as ``pbt`` in capitals; problems and domains too."""
    words = method.replace("_", " ")
    for ours, theirs in WRITTEN.items():
        words = re.sub(rf"\b{ours}\b", theirs, words)
    return ACRONYMS.sub(lambda word: word[0].upper(), words)


def unit(label: str, unit: str) -> str:
    """``label`` with its unit in parentheses, if it has one, in lines that fit along a small axis."""
    return textwrap.fill(f"{label} ({unit})" if unit else label, 26)


def problem_name(records: Sequence[Record]) -> str:
    """The problem of these runs as people write it."""
    return pretty(records[0].problem)


def left_out(lost: int) -> str:
    """The end of a title that says how many runs could not be drawn; empty if all were."""
    return f"; {lost} run{'s' * (lost != 1)} without a finite score left out" if lost else ""


def counted(numbers: Collection[int], what: str) -> str:
    """``3 runs``, or ``2 to 3 runs`` where methods have different numbers of them."""
    few, many = min(numbers), max(numbers)
    return f"{few if few == many else f'{few} to {many}'} {what}{'s' * (many != 1)}"


def over_seeds(counts: Iterable[int], interval: str = "95 % bootstrap interval") -> str:
    """What a title says of the ``interval`` of means over so many seeds each, and how many they are: one seed has none."""
    numbers = list(counts)
    if max(numbers, default=0) < 2:
        return "one seed: no interval"
    return f"{interval}{'' if min(numbers) > 1 else ', none for one seed'} ({counted(numbers, 'seed')})"


def mark_random_play(ax: Axes, records: Sequence[Record], measure: Measure, along: Literal["x", "y"] = "y") -> None:
    """A dotted line at the published score of random play, where there is one for the problem; scores are ``along`` an axis."""
    if anchor := measure.anchors.get(records[0].problem):
        line = ax.axhline if along == "y" else ax.axvline
        line(anchor.low, color="black", lw=0.9, ls=":", label="random play")


def count_steps(ax: Axes, label: str) -> None:
    """Let the x axis count steps: 75k rather than 75000; few ticks, so that labels of neighbouring panels do not overlap."""
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(EngFormatter(sep=""))
    ax.set_xlabel(textwrap.fill(label, 30))


class _Plain(LogFormatter):
    """Labels such as 0.001 and 1e-5: typeset powers of ten take most of the time that a figure with many axes needs."""

    def _num_to_string(self, value: float, low: float, high: float) -> str:
        return f"{value:g}".replace("e-0", "e-")


class _Between(_Plain):
    """Labels at 2 and 5 between powers of ten, where there are so few of these that they say little."""

    def set_locs(self, locs: Any | None = None) -> None:
        low, high = sorted(self.axis.get_view_interval())  # type: ignore[union-attr]
        self._sublabels = {2, 5} if high < 100 * low else set()


def count_decades(ax: Axes) -> None:
    """Make the y axis logarithmic."""
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(_Plain())
    ax.yaxis.set_minor_formatter(_Between(labelOnlyBase=False))


def mark_scores(ax: Axes, x: float, scores: Sequence[float], shade: Any, spread: float = 0.12) -> None:
    """At ``x``: a dot a seed, side by side, and their mean with its 95 % bootstrap interval; one seed has no interval."""
    scores = [score for score in scores if np.isfinite(score)]
    beside = np.linspace(-spread, spread, len(scores)) if len(scores) > 1 else np.zeros(len(scores))
    ax.plot(x + beside, scores, "o", ms=4, alpha=0.6, color=shade)
    mark_mean(ax, x, scores)


def mark_mean(ax: Axes, x: float, scores: Sequence[float]) -> None:
    """At ``x``: the mean with its 95 % bootstrap interval; one seed has no interval."""
    if not len(scores):
        return
    estimate = statistics.mean(list(scores))
    if np.isfinite(estimate.low):
        below, above = estimate.value - estimate.low, estimate.high - estimate.value
        ax.errorbar(x, estimate.value, [[below], [above]], fmt="_", color="black", ms=16, capsize=5, lw=1.2)
    else:
        ax.plot(x, estimate.value, "_", ms=16, color="black")


def keep_proportion(ax: Axes, mean: float) -> None:
    """Let the axis span at least a twentieth of the mean: in a narrower range noise would look like a difference."""
    low, high = ax.get_ylim()
    widen = max(0.0, 0.05 * abs(mean) - (high - low)) / 2
    if np.isfinite(widen):
        ax.set_ylim(low - widen, high + widen)


def plot_heights(values: Sequence[Any], among: Sequence[Any]) -> NDArray[np.float64]:
    """Values of a hyperparameter as heights in a plot: numbers as they are, names by their index among all that occur."""
    if not any(isinstance(value, str) for value in among):
        return np.asarray(values, dtype=float)
    order = sorted({str(value) for value in among})
    return np.array([order.index(str(value)) for value in values], dtype=float)


def hyperparameter_axis(ax: Axes, name: str, among: Sequence[Any], measure: Measure) -> None:
    """The y axis of a hyperparameter with these values: logarithmic where declared, ticks with names where they are names."""
    if any(isinstance(value, str) for value in among):
        order = sorted({str(value) for value in among})
        ax.yaxis.set_major_locator(FixedLocator(list(range(len(order)))))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_yticklabels(order)
    elif name in measure.logarithmic:
        count_decades(ax)
