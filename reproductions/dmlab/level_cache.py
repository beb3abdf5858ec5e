"""Maps that DeepMind Lab has compiled, kept in a folder for all processes: fetching one takes a tenth of compiling it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from pbt_core.files import replacing


class LevelCache:
    """What ``deepmind_lab.Lab`` takes as ``level_cache``; any number of processes may share the folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def fetch(self, key: str, pk3_path: str) -> bool:
        """Copy the map with this key to ``pk3_path``; whether there is one."""
        try:
            shutil.copyfile(self._path(key), pk3_path)
        except FileNotFoundError:
            return False
        return True

    def write(self, key: str, pk3_path: str) -> None:
        """Keep the map at ``pk3_path`` under this key, whole or not at all."""
        with replacing(self._path(key)) as temporary:
            shutil.copyfile(pk3_path, temporary)

    def _path(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}.pk3"
