"""A corpus as models see it: encoded pairs for training, and two evaluation sets with their texts.

python -m reproductions.translation.corpus --root DIR [--name catalogues] [--vocabulary-size 2000]
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reproductions.shared.assets import DataError, once
from reproductions.translation import catalogues, ragged, wmt14
from reproductions.translation.ragged import Ragged
from reproductions.translation.text import LANGUAGES, Text
from reproductions.translation.vocabulary import SENTENCES, Vocabulary, learn

SOURCES: dict[str, Callable[[Path], Text]] = {"catalogues": catalogues.prepare, "wmt14": wmt14.prepare}
#: The largest share of a held-out set that may stand in the training set: our choice, far above what published text has.
LEAKED = 0.1
_MODEL = "vocabulary.model"
_PREPARATION = 1  # raised when what is stored beside the vocabulary, or how, changes


@dataclass(frozen=True, eq=False)
class Pairs:
    """Sentences as piece numbers, eos at the end of both sides; ``pairs[i]`` is (source int32 [S], target int32 [T])."""

    source: Ragged
    target: Ragged

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return self.source[index], self.target[index]

    def __iter__(self) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        return (self[index] for index in range(len(self)))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Encoded pairs with the detokenised text of both sides, which BLEU is computed on."""

    pairs: Pairs
    sources: tuple[str, ...]
    references: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Corpus:
    """``dev`` selects, ``test`` is reported; no sentence of either was seen by the vocabulary."""

    name: str
    train: Pairs
    dev: Evaluation
    test: Evaluation
    vocabulary: Vocabulary


def shortened(corpus: Corpus, longest: int) -> Corpus:
    """The pairs of which neither side has more than ``longest`` pieces, end of sentence included.

    ValueError if a set has none.
    """
    sets = {"train": corpus.train, "dev": corpus.dev.pairs, "test": corpus.test.pairs}
    kept = {name: np.maximum(pairs.source.lengths, pairs.target.lengths) <= longest for name, pairs in sets.items()}
    for name, mask in kept.items():
        if not mask.any():
            raise ValueError(f"longest = {longest}: no pair of the {name} set of {corpus.name} is as short as that")

    def pairs(name: str) -> Pairs:
        return Pairs(sets[name].source.kept(kept[name]), sets[name].target.kept(kept[name]))

    def evaluation(name: str, part: Evaluation) -> Evaluation:
        sides = (tuple(compress(side, kept[name])) for side in (part.sources, part.references))
        return Evaluation(pairs(name), *sides)

    parts = evaluation("dev", corpus.dev), evaluation("test", corpus.test)
    return Corpus(corpus.name, pairs("train"), *parts, corpus.vocabulary)


def load(name: str, root: Path, vocabulary_size: int) -> Corpus:
    """The corpus ``name`` below the folder ``root``, prepared there if need be, by the first process that asks; or DataError.

    ValueError if the name is unknown or the vocabulary cannot have that size.
    """
    if name not in SOURCES:
        raise ValueError(f"corpus {name!r} must be one of {', '.join(SOURCES)}")
    text = SOURCES[name](root)
    recipe = (
        f"{_PREPARATION} {text.digest} {text.normalisation} {text.coverage} {text.longest} {text.ratio} {SENTENCES}"
    )
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    names = (_MODEL, *(file for language in LANGUAGES for file in ragged.files(language)))
    folder = root / "translation" / f"{name}-{vocabulary_size}-{key}"
    once(folder, names, lambda empty: _encode(text, vocabulary_size, empty))
    vocabulary = Vocabulary((folder / _MODEL).read_bytes())
    train = Pairs(*(ragged.load(folder, language) for language in LANGUAGES))
    return Corpus(
        name, train, _evaluation(text, text.dev, vocabulary), _evaluation(text, text.test, vocabulary), vocabulary
    )


def _encode(text: Text, vocabulary_size: int, folder: Path) -> None:
    """Learn the vocabulary and write it and the training set into ``folder``."""
    _must_not_train_on(text)
    count = sum(1 for _ in text.pairs(text.train))
    stride = max(1, -(-2 * count // SENTENCES))  # an even sample, the same every time
    sample = (pair for line, pair in enumerate(text.pairs(text.train)) if line % stride == 0)
    model = learn((side for pair in sample for side in pair), vocabulary_size, text.normalisation, text.coverage)
    (folder / _MODEL).write_bytes(model)
    encode = Vocabulary(model).encode
    sides = [ragged.ragged(encode(pair[side]) for pair in text.pairs(text.train)) for side in (0, 1)]
    pieces = np.stack([side.lengths - 1 for side in sides])  # without eos
    shorter, longer = pieces.min(0), pieces.max(0)
    usable = (shorter >= 1) & (longer <= text.longest) & (longer <= text.ratio * shorter)
    if not usable.any():
        raise DataError(
            f"{text.folder}: none of {count} training pairs has 1 to {text.longest} pieces a side, neither more than "
            f"{text.ratio} times the other"
        )
    for language, side in zip(LANGUAGES, sides, strict=True):
        ragged.save(folder, language, side.kept(usable))


def _must_not_train_on(text: Text) -> None:
    """DataError where more than a tenth of what selects or is reported is trained on too; less, which published text has
    (greetings, headlines), is told on standard error.
    """
    held_out = {split: set(text.pairs(split)) for split in (text.dev, text.test)}
    seen = {pair for pair in text.pairs(text.train) if any(pair in pairs for pairs in held_out.values())}
    for split, pairs in held_out.items():
        if shared := len(pairs & seen):
            told = f"{text.folder}: {shared} of the {len(pairs)} different pairs of {split} stand in {text.train} too"
            if shared > LEAKED * len(pairs):
                raise DataError(f"{told}: at most a tenth may; take them out of {text.train}")
            print(told, file=sys.stderr)


def _evaluation(text: Text, split: str, vocabulary: Vocabulary) -> Evaluation:
    sources, references = zip(*text.pairs(split), strict=True)
    encoded = (ragged.ragged(map(vocabulary.encode, side)) for side in (sources, references))
    return Evaluation(Pairs(*encoded), sources, references)


def main() -> None:
    """Prepare a corpus and say what it is."""
    parser = argparse.ArgumentParser(description="Prepare a corpus and say what it is.")
    parser.add_argument("--name", choices=SOURCES, default="catalogues")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--vocabulary-size", type=int, default=2000)
    arguments = parser.parse_args()
    try:
        corpus = load(arguments.name, arguments.root, arguments.vocabulary_size)
    except (DataError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None
    print(f"{corpus.name} in {arguments.root}, {len(corpus.vocabulary)} pieces")
    for split, pairs in {"train": corpus.train, "dev": corpus.dev.pairs, "test": corpus.test.pairs}.items():
        sizes = f"{pairs.source.lengths.sum():,} English and {pairs.target.lengths.sum():,} German pieces"
        print(f"  {split}: {len(pairs):,} pairs, {sizes}")


if __name__ == "__main__":
    main()
