"""Maps that DeepMind Lab has compiled, kept in a folder for all processes: fetching one takes a tenth of compiling it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pbt_core.files import write_whole
from reproductions.shared.assets import regular


class LevelCache:
    """What ``deepmind_lab.Lab`` takes as ``level_cache``; any number of processes may share the folder.

    A file is the sha256 of a map and then the map. One that was altered is as good as none: the map is compiled again.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def fetch(self, key: str, pk3_path: str) -> bool:
        """Copy the map with this key to ``pk3_path``; whether there is one. OSError for what is no file."""
        try:
            with regular(self._path(key)) as file:
                digest, content = file.read(hashlib.sha256().digest_size), file.read()
        except FileNotFoundError:
            return False
        if hashlib.sha256(content).digest() != digest:
            return False
        Path(pk3_path).write_bytes(content)
        return True

    def write(self, key: str, pk3_path: str) -> None:
        """Keep the map at ``pk3_path`` under this key, whole or not at all."""
        content = Path(pk3_path).read_bytes()
        write_whole(self._path(key), hashlib.sha256(content).digest() + content)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.pk3"
