"""What a configuration may say of methods that train again and again."""

import importlib.util

import pytest

from baselines import PB2, Halving
from pbt_core import PBT, Compose, Perturb, Resample
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import resolve


def described(search, **size):
    chosen = {"population": 4, "steps": 120, "interval": 10, **size}
    return resolve("toy", "pbt", overrides=[f"search={search}"], **chosen)


def test_whole_trainings_that_fill_the_steps_are_accepted():
    """Population is the number of slots, steps the trainings one after another."""
    settings = described("{kind: halving, pruner: asha, trial: 40, rung: 10}")
    assert settings.search.build() == Halving("asha", trial=40, rung=10, factor=3)
    for search in ("{kind: bayesian, sampler: tpe, trial: 120}", "{kind: genetic, trial: 30}"):
        assert described(search).steps == 120


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("{kind: genetic, trial: 240}", "search.trial = 240 must be at most steps = 120"),
        ("{kind: genetic, trial: 15}", "search.trial = 15 must be a multiple of interval = 10"),
        ("{kind: genetic, trial: 50}", "steps = 120 must be a multiple of search.trial = 50: whole trainings"),
        ("{kind: genetic, trial: 0}", "search.trial = 0: input should be greater than or equal to 1"),
        ("{kind: bayesian, sampler: cma, trial: 40}", "search.sampler = 'cma': input should be 'tpe' or 'gp'"),
        ("{kind: halving, pruner: asha, trial: 40, rung: 15}", "search.rung = 15 must be a multiple of interval = 10"),
        ("{kind: halving, pruner: asha, trial: 40, rung: 40}", "Halving: rung = 40 must be in [1, trial = 40)"),
        ("{kind: pb2, ready: 10, window: 5}", "PB2: window = 5 must be at least startup = 10 intervals"),
        ("{kind: pbt, ready: 10, warmup: 50, until: 20}", "PBT: until = 20 must be at least warmup = 50 steps"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_that_names_key_value_and_rule(search, message):
    """Before any work starts."""
    with pytest.raises(ConfigError) as refused:
        described(search)
    assert str(refused.value) == message


def test_a_missing_library_is_refused_before_any_work_with_the_remedy(monkeypatch):
    """Also where a run is only planned."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^PB2 needs the module 'sklearn': pip install 'pbt-suite\[baselines\]'$"):
        described("{kind: pb2, ready: 10}")


def test_descriptions_say_the_defaults_of_the_methods_themselves():
    """PB2 takes all that PBT takes."""
    assert described("{kind: pb2, ready: 20, until: 60}").search.build() == PB2(PBT(ready=20, until=60))
    built = described("{kind: genetic, trial: 40}").search.build()
    assert built.mutation == Compose((Resample(0.25), Perturb()))
