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


@pytest.mark.parametrize("native", [True, False], ids=["in C", "without C"])
def test_values_become_the_text_that_the_json_module_writes(native, monkeypatch):
    """With Python's encoder in C, and on interpreters that have none."""
    if not native:
        monkeypatch.setattr("json.encoder.c_make_encoder", None)
    strict, lenient = compact(allow_nan=False), compact(allow_nan=True)
    for value in (*VALUES, VALUES):
        assert strict(value) == lenient(value) == json.dumps(value, separators=(",", ":"))
    assert lenient([math.inf, -math.inf, math.nan]) == "[Infinity,-Infinity,NaN]"


@pytest.mark.parametrize("native", [True, False], ids=["in C", "without C"])
def test_what_json_cannot_say_is_an_error(native, monkeypatch):
    """Infinities where they are not allowed, foreign types, a list in itself."""
    if not native:
        monkeypatch.setattr("json.encoder.c_make_encoder", None)
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
