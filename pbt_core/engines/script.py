"""The calling script, which workers import too: it must not start workers of its own while they do."""

from __future__ import annotations

from multiprocessing import process

from pbt_core.errors import RunError

UNGUARDED = (
    "workers cannot be started: guard the calling script with `if __name__ == '__main__':`, since workers import it"
)

#: In a worker: why the script could not be imported for it. None if it was, or there is none.
failure: str | None = None
_tried = False


def must_not_be_importing() -> None:
    """RunError in a process that is importing the script for workers: the script is not guarded."""
    global _tried
    if getattr(process.current_process(), "_inheriting", False):  # as multiprocessing itself finds out
        _tried = True
        raise RunError(UNGUARDED)


def failed(script: str, error: BaseException) -> None:
    """Note that ``script`` could not be imported, whatever it has made of its own error."""
    global failure
    failure = UNGUARDED if _tried else f"workers cannot import {script}: {type(error).__name__}: {error}"
