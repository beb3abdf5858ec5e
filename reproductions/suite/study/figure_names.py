"""The figures that can be drawn of an experiment, by their names alone: asked for another, it is told before any run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from reproductions.suite.study import registry
from reproductions.suite.study.sweep import STANDARD_FIGURES

#: Those over several problems: of any with published scores, and of two such problems or more.
NORMALISED, ACROSS = "human_normalised", ("performance_profile", "improvement")


def drawable(domain: str, problems: Sequence[str]) -> list[str]:
    """The names of the figures of runs on these problems; which of them have something to show depends on the runs."""
    sweep = registry.sweep(domain)
    of_each: Sequence[str] = getattr(sweep, "FIGURES", STANDARD_FIGURES)
    comparable = set(problems) & set(sweep.MEASURE.anchors)
    over = [*([NORMALISED] if comparable else []), *(ACROSS if len(comparable) > 1 else [])]
    named = of_each if len(problems) == 1 else [f"{name}_{problem}" for problem in problems for name in of_each]
    return sorted({*over, *named})


def meant(name: str, problems: Iterable[str], there: Collection[str]) -> list[str]:
    """The figures of ``there`` that a name asks for: that one, or, without its problem, the figure of every problem."""
    return [name] if name in there else [each for problem in problems if (each := f"{name}_{problem}") in there]
