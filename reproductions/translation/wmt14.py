"""WMT 2014 English to German, the paper's corpus: plain text that the user brings, never downloaded from here.

Prepared after fairseq's recipe for WMT14 (``prepare-wmt14en2de.sh``): joint byte-pair encoding, and training pairs of 1
to 250 pieces of which neither side is more than 1.5 times the other. Two things differ. Sentencepiece normalises
characters and cuts words itself, in place of the Moses tokenizer and subword-nmt, so BLEU is of detokenised text. And
newstest2012 selects, as in the paper, where the recipe takes every 100th line of the training set out for validation.
"""

from __future__ import annotations

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
    digests = [_check(folder, split) for split in present]
    return Text(
        folder,
        hashlib.sha256(" ".join(digests).encode()).hexdigest(),
        *(TRAIN, DEV, TEST),
        normalisation="nmt_nfkc",
        coverage=0.9999,  # sentences in other alphabets are among the training set's; their characters need no pieces
        longest=250,
        ratio=1.5,
    )


def _check(folder: Path, split: str) -> str:
    """The digest of both files; DataError unless they have as many lines as they should and are not tokenised."""
    counts = {file: _count(folder / file) for file in files(split)}
    for file, count in counts.items():
        if not count:
            raise DataError(f"{folder / file}: is empty. Remedy: {REMEDY}")
        if split in LINES and count != LINES[split]:
            raise DataError(
                f"{folder / file}: {count} lines, expected {LINES[split]}; take the full {split}, one sentence a line"
            )
        if split in LINES and 2 * (folder / file).read_bytes().count(b" .\n") > count:
            raise DataError(
                f"{folder / file}: most lines end in ' .', so the text is tokenised, and BLEU of it would not compare "
                f"with others; take {split} as published"
            )
    if len(set(counts.values())) > 1:
        sizes = ", ".join(f"{file} {count}" for file, count in counts.items())
        raise DataError(
            f"{folder}: unequal numbers of lines ({sizes}); line i of one has to translate line i of the other"
        )
    return " ".join(sha256(folder / file) for file in counts)


def _count(path: Path) -> int:
    """Lines of a file, the last one whether or not a line feed ends it."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            count, last = count + block.count(b"\n"), block[-1:]
    return count + (last != b"\n")
