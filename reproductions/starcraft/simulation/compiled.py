"""Numba as the simulation uses it: one decorator, and a cache that belongs to exactly these sources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

#: Its settings are made when it is imported, so types know nothing of them.
_numba: Any = numba
_F = TypeVar("_F", bound=Callable[..., Any])
_DOMAIN = Path(__file__).parent.parent
#: Modules of the domain that the simulation imports.
_CONSTANTS = ("kinds.py", "maps.py", "specification.py")


def _cache() -> Path | None:
    """A folder for machine code, named by a digest of the simulation's sources and of the constants that they import.

    Numba's own cache looks at one file alone, and would keep code that was compiled from older constants of another.
    """
    if not os.access(_DOMAIN, os.W_OK):
        return None
    sources = sorted((*_DOMAIN.glob("simulation/*.py"), *(_DOMAIN / name for name in _CONSTANTS)))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    return _DOMAIN / "__pycache__" / f"numba-{digest}"


_CACHE = _cache()


def compiled(function: _F) -> _F:
    """The function as machine code, compiled at its first call and kept for later processes; no fast mathematics."""
    if _CACHE is None:
        return _njit(function, cache=False)
    before = _numba.config.CACHE_DIR
    _numba.config.CACHE_DIR = str(_CACHE)
    try:
        return _njit(function, cache=True)
    finally:
        _numba.config.CACHE_DIR = before


def _njit(function: _F, cache: bool) -> _F:
    compiled_function: _F = _numba.njit(cache=cache, error_model="numpy")(function)
    return compiled_function


def records(array: Any) -> Any:
    """A structured array whose fields are attributes, also where the compiler is switched off (``NUMBA_DISABLE_JIT``)."""
    return array.view(np.recarray) if _numba.config.DISABLE_JIT else array
