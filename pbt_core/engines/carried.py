"""Checkpoints that are carried to a worker and back: it has them in memory, for one interval, and no file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pbt_core.store import Checkpoint, CheckpointError, Prepared, Reference, Store, named


class CarriedStore(Store):
    """The checkpoints that one interval needs and makes, by the names of their files."""

    def __init__(self) -> None:
        super().__init__(Path())
        self.files: dict[str, bytes] = {}

    def save(
        self,
        member: int,
        step: int,
        checkpoint: Checkpoint | Prepared,
        note: Mapping[str, Any],
        recycle: Reference | None = None,
    ) -> Reference:
        """See ``Store.save``; there is nothing to recycle."""
        reference, content = named(member, step, checkpoint, note)
        self.files[reference.filename] = content
        return reference

    def _read(self, path: Path) -> bytes:
        try:
            return self.files[path.name]
        except KeyError:
            raise CheckpointError(f"checkpoint {path.name} was not sent to this worker") from None
