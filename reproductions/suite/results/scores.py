"""The scores that methods are compared by, from a frame with a row a run: reported, and human-normalised where they can be."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reproductions.suite.study.sweep import Anchor, Measure

#: Of a score, up or down: squares of larger ones, which every deviation takes, are no numbers of a double any more.
LARGEST = 1e150


def is_usable(score: float | None) -> bool:
    """Whether a score is a number that others can be compared with; a run without one has no score."""
    return score is not None and abs(score) <= LARGEST  # NaN is not


def scores_of(frame: pd.DataFrame, measure: Measure) -> pd.Series:
    """``reported`` scores, in per cent of the way from random play to people on problems that have an anchor."""
    return normalised(reported(frame, measure), frame.problem, measure.anchors)


def reported(frame: pd.DataFrame, measure: Measure | None) -> pd.Series:
    """The reported score of each run, NaN where there is none.

    It is the column ``reported``, or ``final_reported`` in a table of runs; a task that is exact (or of which no measure is
    given) holds nothing out, and its runs report ``final_selected``, where a table of runs has it.
    """
    scores = frame["reported" if "reported" in frame else "final_reported"].astype(float)
    exact = measure is None or measure.held_out is None
    scores = scores.fillna(frame.final_selected.astype(float)) if exact and "final_selected" in frame else scores
    return scores.where(scores.abs() <= LARGEST)


def normalised(scores: pd.Series, problems: pd.Series, anchors: Mapping[str, Anchor]) -> pd.Series:
    """Scores in per cent of the way from random play to people; as they are on problems without an anchor."""
    pairs = zip(scores, problems, strict=True)
    values = [anchors[problem].normalised(score) if problem in anchors else score for score, problem in pairs]
    return pd.Series(values, index=scores.index, dtype=float)
