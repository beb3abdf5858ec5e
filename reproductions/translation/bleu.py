"""Corpus BLEU of detokenised text, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sacrebleu


@dataclass(frozen=True)
class Bleu:
    """``score`` in 0..100; ``signature`` tells the version and settings it holds for, and belongs beside every number."""

    score: float
    signature: str


def corpus(hypotheses: Sequence[str], references: Sequence[str]) -> Bleu:
    """BLEU of ``hypotheses`` against one reference each; ValueError if their numbers differ or are 0."""
    if not hypotheses or len(hypotheses) != len(references):
        raise ValueError(
            f"{len(hypotheses)} hypotheses, {len(references)} references: their numbers must be equal and at least 1"
        )
    metric = sacrebleu.BLEU(force=True)  # no warning where hypotheses look tokenised: untrained models end with " ."
    score = metric.corpus_score(list(hypotheses), [list(references)])
    return Bleu(score.score, str(metric.get_signature()))
