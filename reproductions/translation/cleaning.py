"""From a translated string of a user interface to pairs of plain sentences."""

from __future__ import annotations

import re
import unicodedata

from reproductions.translation.text import Pair

TOKENS = (3, 40)  # a sentence's words, placeholders and punctuation marks, least and most, on both sides
RATIO = 2.0  # the longer side has at most as many times the characters of the shorter
PLACEHOLDER = "{}"

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")  # Markdown's [text](address): the text stays
_NAMED = re.compile(r"\{[^{}]*\}")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_MARKS = re.compile(
    r"[*`]+|^\s*(?:[-•#>]+|\d+[.)])\s+", re.MULTILINE
)  # emphasis, code, the marks of lists and headings
# A sentence ends at such a mark where something follows that can begin one.
_END = re.compile(r"""(?<=[.!?:])\s+(?=[A-ZÄÖÜ"„({\[])""")
_TOKEN = re.compile(r"\w+|\{\}|[^\w\s]")


def pairs(english: str, german: str) -> list[Pair]:
    """The usable sentence pairs of one string; none if the two sides have unequal numbers of sentences."""
    sides = sentences(english), sentences(german)
    if len(sides[0]) != len(sides[1]):
        return []
    return [pair for pair in zip(*sides, strict=True) if usable(pair)]


def sentences(text: str) -> list[str]:
    """The sentences of a string without markup, with ``{}`` for each placeholder and single spaces."""
    text = _LINK.sub(r"\1", unicodedata.normalize("NFC", text))
    text = _MARKS.sub("", _TAG.sub(" ", _NAMED.sub(PLACEHOLDER, text)))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return [sentence for line in lines if line for sentence in _END.split(line)]


def usable(pair: Pair) -> bool:
    """Whether both sides are of a fit length, alike in length, without a web address, and not the same text."""
    least, most = TOKENS
    shorter, longer = sorted(map(len, pair))
    return (
        all(least <= len(_TOKEN.findall(side)) <= most for side in pair)
        and longer <= RATIO * shorter
        and not any("://" in side for side in pair)
        and pair[0].casefold() != pair[1].casefold()
    )
