"""Subword units by sentencepiece, learnt from the training set of both languages together."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from reproductions.translation.ids import BOS, EOS, PAD, UNK

#: Sentences that a vocabulary is learnt from, at most; more cost gigabytes of memory and change little.
SENTENCES = 2_000_000


class Vocabulary:
    """The pieces of a sentencepiece model, numbered 0..size-1; 0 to 3 are bos, pad, eos and unk."""

    def __init__(self, model: bytes) -> None:
        self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)

    def __len__(self) -> int:
        return int(self._processor.vocab_size())

    @property
    def pieces(self) -> list[str]:
        """The piece of every number, in order: what fairseq's dictionary is to be filled with, after its own four."""
        return [self._processor.id_to_piece(index) for index in range(len(self))]

    def encode(self, sentence: str) -> NDArray[np.int32]:
        """The numbers of a sentence's pieces, int32 [T], eos at the end."""
        return np.array([*self._processor.encode(sentence), EOS], np.int32)

    def decode(self, ids: Iterable[int]) -> str:
        """The detokenised text of ``ids`` up to the first eos; bos and pad are skipped, unk reads as ``⁇``."""
        content = []
        for index in map(int, ids):
            if index == EOS:
                break
            if index not in (BOS, PAD):
                content.append(index)
        return self._processor.decode(content)


def learn(sentences: Iterable[str], size: int, normalisation: str, coverage: float) -> bytes:
    """The model of a byte-pair encoding with ``size`` pieces; equal sentences give equal bytes.

    normalisation: sentencepiece's rule: "identity", or "nmt_nfkc", which also removes unprintable characters.
    coverage: share of the characters in the text, 0..1, that have to be known; the rarest others become unk.
    ValueError if ``size`` is more or less than the sentences allow.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type="bpe",
            vocab_size=size,
            normalization_rule_name=normalisation,
            character_coverage=coverage,
            bos_id=BOS,
            pad_id=PAD,
            eos_id=EOS,
            unk_id=UNK,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(f"vocabulary_size = {size}: sentencepiece cannot learn so many pieces ({error})") from None
    return model.getvalue()
