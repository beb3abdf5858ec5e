"""How sure a difference between methods is: performance profiles and probabilities of improvement (Agarwal et al., 2021).

Scores are the reported ones of the final best members. Runs of several problems are compared in per cent of the way from
random play to people; their bootstrap intervals draw seeds within each problem.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import starmap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from reproductions.suite.figures.look import (
    colour,
    counted,
    dashes,
    mark_random_play,
    over_seeds,
    panels,
    pretty,
    problem_name,
    unit,
)
from reproductions.suite.results import statistics
from reproductions.suite.results.records import Record, method_order, of_each_problem
from reproductions.suite.results.scores import scores_of
from reproductions.suite.results.statistics import LEVEL, RESAMPLES, Estimate
from reproductions.suite.results.tables import final_scores
from reproductions.suite.study.sweep import Measure

Array = NDArray[np.float64]
#: More bands than these cannot be distinguished.
MOST_BANDS = 6
_ENDS = [50 * (1 - LEVEL), 50 * (1 + LEVEL)]


@lru_cache(maxsize=8)
def resample_shares(seeds: int) -> Array:
    """Bootstrap resamples as the share of each seed in each resample: [resamples, seeds]. Drawn as in ``statistics``."""
    drawn = np.random.default_rng(0).integers(0, seeds, (RESAMPLES, seeds))
    counts = np.zeros((RESAMPLES, seeds))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1)
    shares = counts / seeds
    shares.flags.writeable = False  # whoever asks again gets the same
    return shares


def means(scores: Array) -> tuple[Array, Array, Array]:
    """Mean over the seeds (rows) of each column and both ends of its interval, as ``statistics.mean`` has them, at once."""
    value = scores.mean(axis=0)
    if len(scores) < 2:
        return value, np.full_like(value, np.nan), np.full_like(value, np.nan)
    complete = np.isfinite(scores).all(axis=0)
    low, high = np.percentile(resample_shares(len(scores)) @ np.where(complete, scores, 0.0), _ENDS, axis=0)
    return value, np.where(complete, low, np.nan), np.where(complete, high, np.nan)


def comparable(records: Sequence[Record], measure: Measure) -> dict[str, dict[str, Array]]:
    """By method and problem, the reported score of each seed; human-normalised if there are several problems."""
    frame, several = final_scores(records), len(of_each_problem(records)) > 1
    if several:
        frame = frame[frame.problem.isin(list(measure.anchors))]
        frame = frame.assign(reported=scores_of(frame, measure))
        if frame.empty:
            raise ValueError("scores of several problems cannot be compared without anchors")
    scores: dict[str, dict[str, Array]] = {method: {} for method in method_order(records)}
    for (problem, method), runs in frame.groupby(["problem", "method"], sort=False):
        scores[str(method)][str(problem)] = runs.reported.to_numpy(dtype=float)
    return {method: by_problem for method, by_problem in scores.items() if by_problem}


def score_label(records: Sequence[Record], measure: Measure) -> str:
    """What ``comparable`` scores are, for an axis."""
    if len(of_each_problem(records)) > 1:
        return "human-normalised score (%)\n0: random play, 100: people"
    return unit(measure.reported, measure.unit)


def problems_title(records: Sequence[Record]) -> str:
    """The problem's name, or the number of problems."""
    problems = len(of_each_problem(records))
    return f"{problems} problems" if problems > 1 else problem_name(records)


def profile(scores: Sequence[Array]) -> tuple[Array, Array, Array, Array]:
    """Scores of the seeds on each problem -> thresholds, fraction of runs above each, and its interval's ends.

    The fraction only changes at a score, so those are the thresholds. A run without a score is above none.
    """
    seen = np.concatenate(scores)
    taus = np.unique(seen[np.isfinite(seen)])
    above = [(of_problem[:, None] > taus).astype(float) for of_problem in scores]
    fraction = np.mean([of_problem.mean(axis=0) for of_problem in above], axis=0)
    if min(map(len, scores)) < 2:
        return taus, fraction, np.full_like(fraction, np.nan), np.full_like(fraction, np.nan)
    # Problems are independent: each has resamples of its own.
    order = np.random.default_rng(1)
    drawn = np.mean([order.permutation(resample_shares(len(of_problem))) @ of_problem for of_problem in above], axis=0)
    low, high = np.percentile(drawn, _ENDS, axis=0)
    return taus, fraction, low, high


def performance_profile(records: Sequence[Record], measure: Measure) -> Figure:
    """The fraction of runs whose score is above tau, by method, against tau, with a 95 % bootstrap band: higher is better."""
    scores = comparable(records, measure)
    figure, axes = panels(1, 1, 6.4, 3.2)
    ax: Axes = axes[0, 0]
    all_scores = np.concatenate([seeds for by_problem in scores.values() for seeds in by_problem.values()])
    all_scores = all_scores[np.isfinite(all_scores)]
    if len(of_each_problem(records)) == 1:
        mark_random_play(ax, records, measure, along="x")
        all_scores = np.append(all_scores, [np.asarray(line.get_xdata())[0] for line in ax.lines])
    least, most = (all_scores.min(), all_scores.max()) if len(all_scores) else (0.0, 1.0)
    margin = 0.04 * (most - least) or 0.5
    problems = len(set().union(*scores.values()))
    for method, by_problem in scores.items():
        taus, *curves = profile(list(by_problem.values()))
        finite_share = sum(np.isfinite(seeds).mean() for seeds in by_problem.values()) / len(by_problem)
        x = np.array([least - margin, *taus, most + margin])
        # Below the lowest score all runs that have one are above tau, beyond the highest none.
        value, low, high = (np.array([finite_share, *curve, 0.0]) for curve in curves)
        shade = colour(records, method)
        label = pretty(method)
        if len(by_problem) < problems:
            label += f"\n({len(by_problem)} of {problems} problems)"
        ax.step(x, value, where="post", color=shade, ls=dashes(records, method), lw=1.8, label=label)
        if len(scores) <= MOST_BANDS:
            ax.fill_between(x, low, high, step="post", color=shade, alpha=0.1, lw=0)
    ax.set(xlim=(least - margin, most + margin), ylim=(-0.02, 1.02))
    ax.set_xlabel("tau: " + score_label(records, measure).replace("\n0:", ", 0:").replace("\n", " "))
    ax.set_ylabel("fraction of runs above tau")
    runs = [sum(map(len, by_problem.values())) for by_problem in scores.values()]
    band = over_seeds(
        map(len, (seeds for each in scores.values() for seeds in each.values())), "band: 95 % bootstrap interval"
    )
    if len(scores) > MOST_BANDS:
        band = "bands of so many methods are left out"
    ax.set_title(
        f"{problems_title(records)}: performance profile of final best members\n{counted(runs, 'run')} a method; {band}"
    )
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def contenders(records: Sequence[Record]) -> list[str]:
    """PBT (its first variant) and then all methods that it can be compared with; empty without PBT or any other method."""
    order = method_order(records)
    return order if len(order) > 1 and order[0].startswith("pbt") else []


def improved(ours: Sequence[Array], theirs: Sequence[Array]) -> Estimate:
    """Probability of improvement, averaged over problems (one item each), with its 95 % bootstrap interval.

    A run without a score is below all that have one.
    """
    if len(ours) == 1:
        return statistics.probability_of_improvement(list(ours[0]), list(theirs[0]))
    values, resampled = [], []
    order = np.random.default_rng(1)
    for x, y in starmap(statistics.ranked, zip(ours, theirs, strict=True)):
        wins = (np.sign(x[:, None] - y) + 1) / 2
        values.append(wins.mean())
        a, b = (order.permutation(resample_shares(len(seeds))) for seeds in (x, y))
        resampled.append(np.einsum("ri,ij,rj->r", a, wins, b))
    value = float(np.mean(values))
    if min(map(len, [*ours, *theirs])) < 2 or not np.isfinite(value):
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.percentile(np.mean(resampled, axis=0), _ENDS)
    if statistics.all_equal([low, high]):  # as where one side wins every pair
        return Estimate(value, float("nan"), float("nan"))
    return Estimate(value, float(low), float(high))


def improvement(records: Sequence[Record], measure: Measure) -> Figure:
    """Probability that a run of PBT scores higher than one of each other method: a dot with its 95 % bootstrap interval.

    Where one side wins every pair, resampling seeds cannot say how sure that is, so there is no interval; nor with one seed.
    """
    scores = comparable(records, measure)
    ours, *others = [name for name in contenders(records) if name in scores]
    figure, axes = panels(1, 1, 6.0, 1.1 + 0.34 * len(others))
    ax: Axes = axes[0, 0]
    labels, single = [], False
    for y, method in enumerate(others):
        shared = [problem for problem in scores[ours] if problem in scores[method]]
        pair = [[scores[name][problem] for problem in shared] for name in (ours, method)]
        estimate = improved(*pair) if shared else Estimate(*[float("nan")] * 3)
        shade = colour(records, method)
        if estimate.low < estimate.high:
            ax.plot([estimate.low, estimate.high], [y, y], color=shade, lw=6, alpha=0.4, solid_capstyle="butt")
        ax.plot(estimate.value, y, "o", color=shade, ms=6)
        single |= any(len(seeds) == 1 for side in pair for seeds in side)
        lost = sum(int(np.isnan(seeds).sum()) for side in pair for seeds in side)
        if lost or not shared:
            reason = f"{lost} without a score, ranked last" if shared else "no problem in common"
            ax.annotate(reason, (0.02, y), va="center", fontsize=7)
        ours_runs, their_runs = (sum(map(len, seeds)) for seeds in pair)
        labels.append(f"{pretty(method)}\n({ours_runs} against {counted([their_runs], 'run')})")
    ax.axvline(0.5, color="black", lw=0.9, ls="--")
    ax.set(xlim=(-0.02, 1.02), ylim=(len(others) - 0.5, -0.5))
    ax.set_yticks(range(len(others)), labels)
    ax.set_xlabel(f"probability that a run of {pretty(ours)} scores higher (dashed: chance)")
    where = "none where one side wins every pair" + ",\nor with one seed of a problem" * single
    bar = f"bar: 95 % bootstrap interval over seeds, {where}"
    ax.set_title(f"{problems_title(records)}: how often {pretty(ours)} is better\n{bar}")
    return figure
