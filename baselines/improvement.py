"""Which of two trainings improves faster at the same score: curves, and how FIRE PBT (baselines/fire.py) compares them."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pbt_core.population import Evaluation, Member

#: A curve is compared by its last so many points, which bounds what a comparison costs (our choice).
LONGEST = 100
#: The Gaussian process that smooths a curve: length scale in evaluations, noise over the variance of the signal (our choice).
LENGTH, NOISE = 1.0, 0.1


@dataclass(frozen=True)
class Curve:
    """One member's training since it was last cloned or begun anew: (age of the weights, score), oldest first.

    The first point is that of the weights that it copied; ``begun`` says whether there is such a point. Scores are finite.
    """

    points: tuple[tuple[int, float], ...]
    begun: bool = False

    @property
    def origin(self) -> tuple[int, float] | None:
        """The point that it began from."""
        return self.points[0] if self.begun else None

    @property
    def trained(self) -> tuple[tuple[int, float], ...]:
        """The points that were trained and evaluated since."""
        return self.points[1:] if self.begun else self.points

    @property
    def scores(self) -> tuple[float, ...]:
        return tuple(score for _, score in self.points)


class Curves:
    """The evaluations of a run by member."""

    def __init__(self) -> None:
        self._steps: dict[int, list[int]] = {}
        self._points: dict[int, list[tuple[int, int, float, float | None]]] = {}
        self._made: dict[int, tuple[int, int, Curve]] = {}

    def take_in(self, evaluation: Evaluation) -> None:
        """Add the next evaluation of the run."""
        member, age, before = evaluation.member, evaluation.age, evaluation.before
        if before is None:  # fresh weights: nothing before them is asked for again
            self._steps[member], self._points[member] = [], []
            self._made.pop(member, None)
        self._steps.setdefault(member, []).append(evaluation.step)
        self._points.setdefault(member, []).append((age - evaluation.steps, age, evaluation.score, before))

    def of(self, member: Member) -> Curve:
        """The curve of ``member`` as it stands, its last ``LONGEST`` points; of one just cloned, the point it begins from."""
        steps = self._steps.get(member.id, [])
        first = bisect_right(steps, member.born)
        if first == len(steps):
            finite = member.score is not None and math.isfinite(member.score)
            return Curve(((member.age, member.score),), True) if finite and member.score is not None else Curve(())
        made = self._made.get(member.id)
        if made is None or made[:2] != (first, len(steps)):
            made = self._made[member.id] = (first, len(steps), self._cut(member.id, first))
        return made[2]

    def _cut(self, member: int, first: int) -> Curve:
        since = self._points[member][first:]
        begin, _, _, before = since[0]
        points = tuple((age, score) for _, age, score, _ in since[-LONGEST:] if math.isfinite(score))
        if before is None or not math.isfinite(before) or len(since) >= LONGEST:
            return Curve(points)
        return Curve(((begin, before), *points), True)


def lead(one: Curve, other: Curve) -> float:
    """By how much ``one`` gets higher than ``other`` from the same score on, in equally many evaluations.

    0 where they have no score in common, or nothing follows it. But if ``one`` begins where ``other`` never gets, it is moved
    down to each point of the other in turn: its lead is the largest of those it then has, or 0.
    """
    return _compared(one.scores, other.scores)[0]


def chance(one: Curve, other: Curve) -> float | None:
    """One-sided sign test that ``one`` is above ``other`` from the same score on: its p-value.

    None where they have no score in common, or nothing follows it; but 0.0 if all evaluations of ``one`` are above all of
    ``other``.
    """
    return _compared(one.scores, other.scores)[1]


@lru_cache(maxsize=16)
def leads(curves: tuple[Curve, ...]) -> tuple[float, ...]:
    """The sum of each curve's leads over the others."""
    return tuple(sum(lead(one, other) for j, other in enumerate(curves) if j != i) for i, one in enumerate(curves))


@lru_cache(maxsize=2**16)
def _compared(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, float | None]:
    """The lead of ``one``, and the p-value of the sign test."""
    if not one or not other:
        return 0.0, None
    a, b = smoothed(one), smoothed(other)
    met = meeting(a, b)
    if met is not None:
        return _compared_from(_after(one, met[0]), _after(other, met[1]))
    begins_above = a[0] > b[0]
    if not begins_above:
        return 0.0, None
    return _lead_moved_down(one, other, a[0], b), 0.0 if min(one) > max(other) else None


def _compared_from(one: Sequence[float], other: Sequence[float]) -> tuple[float, float | None]:
    """Of curves that meet, by the scores that follow in both: the lead, and the p-value."""
    from scipy.special import bdtrc  # here, since it is a quarter of the time that any command takes to begin

    pairs = list(zip(one, other, strict=False))
    if not pairs:
        return 0.0, None
    won = sum(x > y for x, y in pairs)
    p = 1.0 if won == 0 else float(bdtrc(won - 1, len(pairs), 0.5))
    return max(x for x, _ in pairs) - max(y for _, y in pairs), p


def _lead_moved_down(one: Sequence[float], other: Sequence[float], begin: float, smooth: Sequence[float]) -> float:
    """The lead of a curve that begins above all of the other, at ``begin``: moved down to each of its ``smooth`` points."""
    leads_from = [0.0]
    for j in range(len(other) - 1):
        length = min(len(one), len(other) - j)
        if length > 1:
            leads_from.append(max(one[1:length]) - begin - (max(other[j + 1 : j + length]) - smooth[j]))
    return max(leads_from)


def meeting(a: Sequence[float], b: Sequence[float]) -> tuple[float, float] | None:
    """Where two curves have the same score first, as places in both; None if they never do.

    The curve that begins lower is taken from its first point that is at least as high as the beginning of the other one. The
    other is taken from where it has the score of that point, which may lie between two of its points: so what the lower one
    has jumped in that interval is no lead. If the other never has that score, it is taken from its beginning.
    """
    if a[0] >= b[0]:
        met = _met(b, a)
        return None if met is None else met[::-1]
    return _met(a, b)


def _met(low: Sequence[float], high: Sequence[float]) -> tuple[float, float] | None:
    i = next((i for i, value in enumerate(low) if value >= high[0]), None)
    return None if i is None else (float(i), _reaching(high, low[i]) or 0.0)


def _reaching(curve: Sequence[float], score: float) -> float | None:
    """The first place of a curve, straight between its points, at which it has come to ``score``."""
    i = next((i for i, value in enumerate(curve) if value >= score), None)
    if not i:  # at its beginning, or never
        return None if i is None else 0.0
    return i - 1 + (score - curve[i - 1]) / (curve[i] - curve[i - 1])


def _after(scores: Sequence[float], place: float) -> list[float]:
    """The scores one evaluation after ``place``, two after it, and so on, straight between the points."""
    i, part = int(place), place - int(place)
    following = scores[i + 1 :]
    if part == 0:
        return list(following)
    return [x + part * (y - x) for x, y in itertools.pairwise(following)]


@lru_cache(maxsize=2**12)
def smoothed(scores: tuple[float, ...]) -> tuple[float, ...]:
    """A Gaussian process's mean at the points of a curve, whose evaluations count as equally far apart.

    The process is about the straight line that fits the curve best: about its mean, both ends of a short curve would be off.
    """
    return tuple((_smoother(len(scores)) @ np.asarray(scores, float)).tolist())


@lru_cache(maxsize=LONGEST + 1)
def _smoother(length: int) -> NDArray[np.float64]:
    times = np.arange(length, dtype=np.float64)
    line = np.stack([np.ones(length), times - times.mean()])[: min(length, 2)]
    straight = np.linalg.pinv(line) @ line
    kernel = np.exp(-((times[:, None] - times) ** 2) / (2 * LENGTH**2))
    about = np.linalg.solve(kernel + NOISE * np.eye(length), kernel).T
    weights: NDArray[np.float64] = (straight + about @ (np.eye(length) - straight)).astype(np.float64)
    return weights
