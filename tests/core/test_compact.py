import json
import math

import pytest

from pbt_core.compact import compact

VALUES = [
    None,
    True,
    -1,
    2**70,
    0.1,
    1e-7,
    1e22,
    'ä\x7f\n"',
    [],
    {},
    [1, [2.5, {"a": None}]],
    {"x": {"y": [1]}, "1": "z"},
]


def test_values_become_the_text_that_the_json_module_writes():
    """Without its spaces."""
    strict, lenient = compact(allow_nan=False), compact(allow_nan=True)
    for value in (*VALUES, VALUES):
        assert strict(value) == lenient(value) == json.dumps(value, separators=(",", ":"))
    assert lenient([math.inf, -math.inf, math.nan]) == "[Infinity,-Infinity,NaN]"


def test_what_json_cannot_say_is_an_error():
    """Infinities where they are not allowed, foreign types, a list in itself."""
    strict, circle = compact(allow_nan=False), []
    circle.append(circle)
    for value, error in (
        (math.inf, ValueError),
        ([math.nan], ValueError),
        (object(), TypeError),
        (circle, RecursionError),
    ):
        with pytest.raises(error):
            strict(value)
