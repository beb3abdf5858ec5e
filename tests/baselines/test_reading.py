import copy
import pickle

from baselines.reading import Reading


class Noted:
    def __init__(self):
        self.seen = []

    def take_in(self, evaluation):
        self.seen.append(evaluation)


def test_what_was_read_is_not_read_again():
    """Only what has come since; the reader stays the same."""
    reading, evaluations = Reading(), [1, 2]
    first = reading.of(evaluations, Noted)
    evaluations += [3]
    assert reading.of(evaluations, Noted) is first
    assert first.seen == [1, 2, 3]


def test_another_run_and_a_copy_are_read_from_the_beginning():
    """Equal evaluations of another run are other ones, and a sequence that has shrunk is no longer the one that was read."""
    reading, evaluations = Reading(), [1, 2]
    first = reading.of(evaluations, Noted)
    second = reading.of([1, 2], Noted)
    assert second is not first
    assert second.seen == [1, 2]
    back = reading.of(evaluations, Noted)
    evaluations.pop()
    assert reading.of(evaluations, Noted) is not back
    for other in (copy.deepcopy(reading), pickle.loads(pickle.dumps(reading))):  # noqa: S301 - what was just written
        assert other.of(evaluations, Noted).seen == [1]
