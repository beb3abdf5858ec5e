"""A plan takes numpy's numbers and flags as its own, as everything does that takes whole numbers and flags."""

import numpy as np
import pytest

from pbt_core import PBT, Integer, Plan, Processes, Serial, Stream, Until
from pbt_core.identity import described
from pbt_core.testing import Hill

OWN = Plan(4, 20, 10, seed=2, synchronous=False, stop=Until(seconds=100, score=1.5))


def test_numbers_and_flags_of_numpy_are_taken_and_become_pythons_own(tmp_path):
    """Seeds from np.arange, steps from a product of shapes: the run is the same."""
    stop = Until(seconds=np.int64(100), score=np.float32(1.5))
    plan = Plan(np.int64(4), np.uint16(20), np.int32(10), seed=np.arange(3)[2], synchronous=np.bool_(False), stop=stop)
    assert described(plan, "plan") == described(OWN, "plan")
    kinds = {type(value) for value in (plan.population, plan.steps, plan.interval, plan.seed)}
    assert (kinds, type(plan.synchronous), type(plan.stop.seconds)) == ({int}, bool, float)
    Serial(threads=np.int64(1)).run(Hill(), PBT(ready=np.int64(10)), Plan(np.int64(2), np.int64(10), 10), tmp_path)
    Processes(workers=np.int64(2), timeout=np.float32(3))
    assert Integer(np.int64(1), np.int64(5)) == Integer(1, 5)


def test_streams_go_by_numbers_whoever_made_them():
    """numpy's 3 is the same name as Python's."""
    assert Stream(np.int64(3)).child(np.int32(1), "a").integer() == Stream(3).child(1, "a").integer()
    with pytest.raises(TypeError, match=r"^Stream: the name b'x' is a bytes, and must be"):
        Stream(3).child(b"x").integer()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plan(4, 40, 40 / 10), "Plan: interval = 4.0 must be a whole number"),
        (lambda: Plan(4, 40, np.float64(4)), r"Plan: interval = .*4.0.* must be a whole number"),
        (lambda: Plan(True, 40, 10), "Plan: population = True must be a whole number"),
        (lambda: Plan(4, 40, 10, seed=np.int64(-1)), "Plan: seed = .*-1.* must be at least 0"),
        (lambda: Plan(4, 40, 10, synchronous=1), "Plan: synchronous = 1 must be True or False"),
        (lambda: Until(score=np.float64("nan")), "Until: score = .*nan.* must be a finite number"),
        (lambda: Until(seconds=True), "Until: seconds = True must be a finite number"),
        (lambda: Serial(threads=np.float32(1)), r"Serial: threads = .*1.0.* must be a whole number"),
    ],
)
def test_what_is_none_is_refused_as_before(make, message):
    """A float is no whole number, and 1 no flag."""
    with pytest.raises(ValueError, match=message):
        make()
