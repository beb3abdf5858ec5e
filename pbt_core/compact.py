"""JSON in one line without spaces, by an encoder that is made once.

``json.JSONEncoder.encode`` makes its encoder in C anew for every value, which for an event is half of the time.
"""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable
from typing import Any


def compact(allow_nan: bool, default: Callable[[Any], Any] | None = None) -> Callable[[Any], str]:
    """A function from values to JSON. ValueError for an infinity or NaN unless these are allowed, as Python reads them back.

    TypeError for a value that is none of JSON's, and that ``default`` makes none of; RecursionError for one that is in itself.
    """
    encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=allow_nan, check_circular=False, default=default)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:  # an interpreter without it
        return encoder.encode
    text = json.encoder.encode_basestring_ascii
    chunks = make(None, encoder.default, text, None, ":", ",", False, False, allow_nan)
    return lambda value: "".join(chunks(value, 0))
