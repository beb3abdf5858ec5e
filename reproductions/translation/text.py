"""Parallel text on disk: two files a split, one sentence a line, line i of one translated by line i of the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from reproductions.shared.assets import DataError

#: An English sentence and its German translation.
Pair = tuple[str, str]
LANGUAGES = ("en", "de")


@dataclass(frozen=True)
class Text:
    """Where a corpus lies and what has to be done to it before training.

    folder; train, dev, test: the files are ``folder/<split>.en`` and ``.de``.
    digest: of the files' content.
    normalisation, coverage: as of ``vocabulary.learn``; the defaults are for text that is clean already.
    longest, ratio: training leaves out pairs of which a side has no pieces or more than ``longest``, or more than
        ``ratio`` times as many as the other. Dev and test are never filtered.
    """

    folder: Path
    digest: str
    train: str = "train"
    dev: str = "dev"
    test: str = "test"
    normalisation: str = "identity"
    coverage: float = 1.0
    longest: int = 250
    ratio: float = float("inf")

    def pairs(self, split: str) -> Iterator[Pair]:
        """The sentences of ``split``; DataError if the two files are not UTF-8 or have unequal numbers of lines."""
        english, german = (lines(self.folder / f"{split}.{language}") for language in LANGUAGES)
        try:
            yield from zip(english, german, strict=True)
        except ValueError as error:
            raise DataError(
                f"{' and '.join(files(split))} in {self.folder} are not parallel UTF-8 text: {error}"
            ) from None


def files(*splits: str) -> tuple[str, ...]:
    """The names of the files of these splits."""
    return tuple(f"{split}.{language}" for split in splits for language in LANGUAGES)


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file, ended by a line feed alone: web text holds other characters that Python splits at."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.rstrip("\r\n")


def write(folder: Path, split: str, pairs: Iterable[Pair]) -> None:
    """Write both sides of ``pairs`` into ``folder``."""
    for language, side in zip(LANGUAGES, zip(*pairs, strict=True), strict=True):
        content = "".join(f"{sentence}\n" for sentence in side)
        (folder / f"{split}.{language}").write_text(content, encoding="utf-8", newline="\n")
