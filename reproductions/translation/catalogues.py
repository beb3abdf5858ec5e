"""The embedded default: English and German strings of Home Assistant's user interface.

They are the translation catalogues inside its wheel on PyPI (Apache-2.0), read as a zip without installing anything. So
this is a corpus of software localisation, like GNOME's or KDE's in OPUS, not news: short sentences, many alike. Strings
of one integration (Home Assistant's word for the support of a product) are the most alike, so an integration lies in
one split as a whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reproductions.shared.assets import MANIFEST, DataError, once, sha256, verified, workspace
from reproductions.suite.study.sources import meaning_digest
from reproductions.translation import cleaning, text
from reproductions.translation.text import Pair, Text

REQUIREMENT = "homeassistant==2026.11.0"
WHEEL = "homeassistant-2026.11.0-py3-none-any.whl"
SHA256 = "7ca5fbde9dea879ac7723949fc84347aac5182e6309c357b2e4973fd391b00f7"
# The wheel requires a Python version that may not be this one; with another version pip would silently take an older wheel.
DOWNLOAD = ("pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", "3.14.2", REQUIREMENT)
HELD_OUT = 1000  # sentences of dev, and of test
MOST = 50  # sentences that one integration gives to dev or test, so that none dominates

_ENGLISH = re.compile(r"homeassistant/components/([^/]+)/translations/en\.json")


def prepare(root: Path) -> Text:
    """The corpus below ``root``/translation, fetched and built if need be; or DataError."""
    folder = root / "translation"
    # Whatever changes the sentences changes the folder's name: an old one is never taken for a new one.
    recipe = [
        SHA256,
        *(meaning_digest(Path(module.__file__ or "")) for module in (cleaning, text, sys.modules[__name__])),
    ]
    key = hashlib.sha256(" ".join(recipe).encode()).hexdigest()[:12]

    def build(empty: Path) -> None:
        splits = split(read(fetch(folder)), HELD_OUT)
        for name, pairs in splits.items():
            text.write(empty, name, pairs)

    built = once(folder / f"catalogues-{key}", text.files("train", "dev", "test"), build)
    return Text(built, sha256(built / MANIFEST))


def fetch(folder: Path) -> Path:
    """The wheel in ``folder``, downloaded by pip if it is not there; DataError says what to do instead."""
    wheel = folder / WHEEL
    if not wheel.exists():
        with workspace(wheel) as temporary:
            if not wheel.exists():  # another process may have fetched it while this one waited
                os.replace(verified(_download(folder, temporary), SHA256), wheel)
    return verified(wheel, SHA256)


def _download(folder: Path, temporary: Path) -> Path:
    command = [sys.executable, "-m", *DOWNLOAD, "--quiet", "--retries", "1", "--dest", str(temporary)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=900)
        report = done.stderr.strip().splitlines()
        problem = "; ".join([line for line in report if line.startswith("ERROR")] or report[-1:])
    except (OSError, subprocess.SubprocessError) as error:
        problem = str(error)
    if not (downloaded := temporary / WHEEL).exists():
        raise DataError(
            f"{folder / WHEEL} is not there and cannot be downloaded ({problem}). Remedy: with internet, "
            f"run `python -m {' '.join(DOWNLOAD)}` and copy the wheel to {folder}"
        )
    return downloaded


def read(wheel: Path) -> dict[str, list[Pair]]:
    """The usable pairs of every integration, by its name, in the order of the catalogue."""
    catalogues = {}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        for name in sorted(names):
            translated = name.replace("en.json", "de.json")
            if (match := _ENGLISH.fullmatch(name)) and translated in names:
                german = dict(_strings(json.loads(archive.read(translated))))
                english = _strings(json.loads(archive.read(name)))
                translations = ((string, german[key]) for key, string in english if key in german)
                catalogues[match[1]] = [pair for strings in translations for pair in cleaning.pairs(*strings)]
    return catalogues


def _strings(tree: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The leaves of a catalogue with the path of keys to each."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _strings(value, (*path, key))
        else:
            yield (*path, key), value


def split(catalogues: Mapping[str, list[Pair]], held_out: int) -> dict[str, list[Pair]]:
    """Pairs by split: "test" and "dev" of ``held_out`` sentences each, "train" of all other integrations.

    Integrations are held out in the order of a hash of their name, until there are enough sentences: no random numbers,
    and a new integration moves no other one. Of a held-out integration only sentences count that occur, apart from case
    and digits, in no other integration, neither the English nor the German: so nothing of dev or test is in train or in
    one another. Of pairs whose English is equal apart from case the first is kept.
    """
    occurrences = Counter(
        side for pairs in catalogues.values() for side in {alike(side) for pair in pairs for side in pair}
    )
    integrations = sorted(catalogues, key=lambda name: hashlib.sha256(name.encode()).digest())
    splits: dict[str, list[Pair]] = {"train": [], "dev": [], "test": []}
    for part in (splits["test"], splits["dev"]):
        while len(part) < held_out:
            if not integrations:
                raise ValueError(f"held_out = {held_out}: more sentences than the catalogues can give")
            unique = [
                pair for pair in catalogues[integrations.pop(0)] if all(occurrences[alike(side)] == 1 for side in pair)
            ]
            part += _distinct(unique)[: min(MOST, held_out - len(part))]
    splits["train"] = _distinct(pair for name in sorted(integrations) for pair in catalogues[name])
    return splits


def _distinct(pairs: Iterable[Pair]) -> list[Pair]:
    """The first pair of each English sentence, whatever its case."""
    first: dict[str, Pair] = {}
    for pair in pairs:
        first.setdefault(pair[0].casefold(), pair)
    return list(first.values())


def alike(sentence: str) -> str:
    """A key that is equal for sentences that differ only in case and digits."""
    return re.sub(r"\d+", "0", sentence.casefold())
