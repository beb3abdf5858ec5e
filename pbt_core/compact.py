"""JSON in one line without spaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def compact(allow_nan: bool, default: Callable[[Any], Any] | None = None) -> Callable[[Any], str]:
    """A function from values to JSON. ValueError for an infinity or NaN unless these are allowed, as Python reads them back.

    TypeError for a value that is none of JSON's, and that ``default`` makes none of; RecursionError for one that is in
    itself. Its encoder is made once, where ``json.dumps`` makes one a call: 0.9 instead of 1.9 microseconds of CPU for the
    name of a stream, by
    ``python -m timeit -p -s "from pbt_core.compact import compact; f = compact(True)" "f(['step', 3, 40])"``.
    """
    return json.JSONEncoder(separators=(",", ":"), allow_nan=allow_nan, check_circular=False, default=default).encode
