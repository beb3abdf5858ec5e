import numpy as np
import pytest
import torch

from pbt_core import Stream
from pbt_core.calls import global_generators_kept, seed_globals


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


@pytest.mark.parametrize("zeros", [0, 3, 4, 9, 32])
def test_a_generator_is_the_one_that_numpy_seeds_with_the_entropy(zeros, monkeypatch):
    """Also where its highest words are zero, which numpy leaves out of a number."""
    digest = bytes(zeros) + bytes(range(200, 232 - zeros))
    monkeypatch.setattr("pbt_core.seeds.Stream._digest", lambda stream: digest)
    stream = Stream(0)
    assert stream.generator().bit_generator.state == np.random.PCG64(stream.entropy()).state
    assert stream.entropy() == int.from_bytes(digest, "big")


@pytest.mark.parametrize(
    ("built", "initialised", "seeded"), [(True, False, True), (False, False, False), (True, True, True)]
)
def test_accelerators_are_seeded_before_they_are_first_used(built, initialised, seeded, monkeypatch):
    """A task may make its layers there in its first line: torch keeps a seed that is given before."""
    given = []
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: built)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: initialised)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [])
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", lambda states: None)
    monkeypatch.setattr(torch.cuda, "manual_seed_all", given.append)
    with global_generators_kept():
        seed_globals(Stream(1))
        seed_globals(Stream(2))
        given = [*given]  # without what is given back at the end
    assert given == ([Stream(1).child("global").integer(), Stream(2).child("global").integer()] if seeded else [])
