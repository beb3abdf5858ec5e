from pbt_core import Stream


def test_streams_of_equal_names_agree_and_of_other_names_do_not():
    """Names decide, not the order of asking; 1 and "1" are different names."""
    draws = {
        names: Stream(7).child(*names).generator().random()
        for names in [("step", 1, 2), ("step", 2, 1), ("step", "1", 2), ("init", 1), ("step", 1)]
    }
    assert len(set(draws.values())) == len(draws)
    assert draws["step", 1, 2] == Stream(7).child("step").child(1, 2).generator().random()
    assert Stream(8).child("init", 1).generator().random() != draws["init", 1]


def test_draws_are_the_same_on_every_machine():
    """Golden numbers: a change here changes every result."""
    stream = Stream(0).child("init", 3)
    assert stream.integer() == GOLDEN_INTEGER
    assert stream.generator().random() == GOLDEN_FLOAT


GOLDEN_INTEGER = 4906354224434725295
GOLDEN_FLOAT = 0.9590819282441838
