"""WMT 2014 English to German, the paper's corpus: plain text that the user brings, never downloaded from here.

Prepared after fairseq's recipe for WMT14 (``prepare-wmt14en2de.sh``): joint byte-pair encoding, and training pairs of 1
to 250 pieces of which neither side is more than 1.5 times the other. Two things differ. Sentencepiece normalises
characters and cuts words itself, in place of the Moses tokenizer and subword-nmt, so BLEU is of detokenised text. And
newstest2012 selects, as in the paper, where the recipe takes every 100th line of the training set out for validation.
"""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path

from reproductions.shared.assets import DataError, sha256
from reproductions.translation.text import Text, files

#: Sentences of the published test sets. newstest2013 is checked if it is there; nothing here uses it.
LINES = {"newstest2012": 3003, "newstest2013": 3000, "newstest2014": 3003}
TRAIN, DEV, TEST = "train", "newstest2012", "newstest2014"
FOLDER = "wmt14"
FILES = files(TRAIN, DEV, TEST)
REMEDY = (
    "put train.{en,de}, newstest2012.{en,de} and newstest2014.{en,de} there, one sentence a line, not tokenised "
    "(https://www.statmt.org/wmt14/)"
)


def prepare(root: Path) -> Text:
    """The text in ``root``/wmt14 after a look at its files; DataError names what is wrong and what to do."""
    folder = root / FOLDER
    if missing := [file for file in FILES if not (folder / file).is_file()]:
        raise DataError(f"WMT14 in {folder}: {', '.join(missing)} missing. Remedy: {REMEDY}")
    present = [split for split in (TRAIN, *LINES) if all((folder / file).is_file() for file in files(split))]
    digests = {split: _check(folder, split) for split in present}
    _must_differ(folder, digests)
    return Text(
        folder,
        hashlib.sha256(" ".join(map(" ".join, digests.values())).encode()).hexdigest(),
        *(TRAIN, DEV, TEST),
        normalisation="nmt_nfkc",
        coverage=0.9999,  # sentences in other alphabets are among the training set's; their characters need no pieces
        longest=250,
        ratio=1.5,
    )


def _check(folder: Path, split: str) -> tuple[str, ...]:
    """The digests of both files; DataError unless they have as many lines as they should and are plain, untokenised text."""
    counts = {}
    for file in files(split):
        counts[file], tokenised = _counted(folder / file)
        if not counts[file]:
            raise DataError(f"{folder / file}: is empty. Remedy: {REMEDY}")
        if split in LINES and counts[file] != LINES[split]:
            raise DataError(
                f"{folder / file}: {counts[file]} lines, expected {LINES[split]}; take the full {split}, one sentence a line"
            )
        if 2 * tokenised > counts[file]:
            raise DataError(
                f"{folder / file}: most lines end in ' .', so the text is tokenised, and BLEU of it would not compare "
                f"with others; take {split} as published"
            )
    if len(set(counts.values())) > 1:
        sizes = ", ".join(f"{file} {count}" for file, count in counts.items())
        raise DataError(
            f"{folder}: unequal numbers of lines ({sizes}); line i of one has to translate line i of the other"
        )
    return tuple(sha256(folder / file) for file in counts)


def _must_differ(folder: Path, digests: dict[str, tuple[str, ...]]) -> None:
    """DataError where two files are one: what selects would be what is reported, or nothing would be translated."""
    first: dict[str, str] = {}
    for split, of_split in digests.items():
        for file, digest in zip(files(split), of_split, strict=True):
            if (same := first.setdefault(digest, file)) != file:
                raise DataError(f"{folder}: {same} and {file} must not be the same text; take both as published")


def _counted(path: Path) -> tuple[int, int]:
    """Lines of a file, the last one whether or not a line feed ends it, and how many of them end in a full stop of its own."""
    count = tokenised = 0
    with path.open("rb") as file:
        for line in file:
            if not count and line.startswith(codecs.BOM_UTF8):
                raise DataError(
                    f"{path}: begins with a byte order mark, which would be part of the first sentence: remove it"
                )
            count += 1
            tokenised += line.rstrip(b"\r\n").endswith(b" .")
    return count, tokenised
