import json
import math
import re

import pytest

from pbt_core import Stream
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import importable
from reproductions.suite.study.settings import resolve
from reproductions.suite.study.sweep import Anchor, Expected, Measure


@pytest.mark.parametrize("domain", registry.domains())
def test_every_scale_measures_problems_of_its_domain(domain):
    """At least one, each once."""
    sweep = registry.sweep(domain)
    for scale in sweep.SCALES.values():
        assert scale.problems
        assert len(set(scale.problems)) == len(scale.problems)
        assert set(scale.problems) <= set(sweep.PROBLEMS)


@pytest.mark.parametrize("domain", registry.domains())
def test_every_problem_is_one_that_the_task_takes_at_every_scale(domain):
    """A misspelt setting of a problem does not wait for a cluster to be found."""
    sweep = registry.sweep(domain)
    if not importable(domain):
        pytest.skip(f"{domain} cannot be imported here")
    for scale in sweep.SCALES:
        for problem in sweep.PROBLEMS:
            task = resolve(domain, next(iter(sweep.METHODS)), scale=scale, problem=problem).build_task()
            for key, value in sweep.PROBLEMS[problem].items():
                assert getattr(task, key) == value


@pytest.mark.parametrize("domain", registry.domains())
def test_the_problems_that_a_sweep_names_can_be_found_again(domain):
    """A problem is the name of a folder and a word to Snakemake."""
    sweep = registry.sweep(domain)
    assert all(name.isidentifier() for name in sweep.PROBLEMS)


@pytest.mark.parametrize("domain", registry.domains())
def test_the_space_of_every_problem_is_the_one_that_its_task_has(domain):
    """And its hyperparameters are those that the domain declares, so that settings are checked by what runs."""
    sweep = registry.sweep(domain)
    assert set(getattr(sweep, "SPACES", {})) <= set(sweep.PROBLEMS)
    if not importable(domain):
        pytest.skip(f"{domain} cannot be imported here")
    for problem in sweep.PROBLEMS:
        space = registry.space(domain, problem, {})
        assert list(space) == list(sweep.SPACE)
        task = resolve(domain, next(iter(sweep.METHODS)), problem=problem).build_task()
        assert repr(task.space) == repr(space)


WIDER = [(domain, name) for domain in registry.domains() for name in getattr(registry.sweep(domain), "WIDER", ())]


@pytest.mark.parametrize(("domain", "setting"), WIDER)
def test_a_setting_that_widens_the_space_does_so_where_settings_are_checked_as_in_the_task(domain, setting):
    """What is given by hand is checked by what runs: initial values, and schedules, which must have all of it."""
    if not importable(domain):
        pytest.skip(f"{domain} cannot be imported here")
    space = registry.sweep(domain).WIDER[setting]
    settings = resolve(domain, "pbt", overrides=[f"task.{setting}=true"])
    assert repr(registry.space(domain, settings.problem, settings.task)) == repr(space)
    assert repr(settings.build_task().space) == repr(space)
    values = space.sample(Stream(0).generator())
    given = f"search.initial=[{json.dumps(values)}]"
    assert resolve(domain, "pbt", overrides=[f"task.{setting}=true", given]).search["initial"] == [values]
    (more,) = set(space) - set(registry.sweep(domain).SPACE)
    for changes in ([f"task.{setting}=true"], [f"task.{setting}=true", f"search.schedules.0.values.{more}=9"]):
        with pytest.raises(ConfigError, match=f"'{more}'"):
            resolve(domain, "hand_tuned", overrides=changes)


#: Domains whose laptop scale is ours; the toy's is the paper's own.
OURS = [
    name for name in registry.domains() if registry.sweep(name).SCALES["laptop"] != registry.sweep(name).SCALES["paper"]
]


@pytest.mark.parametrize("domain", OURS)
def test_a_laptop_scale_leaves_pbt_room(domain):
    """At least a dozen members and 15 chances to exploit after the warm-up."""
    settings = resolve(domain, "pbt")
    assert settings.population >= 12
    ready, warmup = settings.search["ready"], settings.search["warmup"]
    chances = [step for step in range(settings.interval, settings.steps, settings.interval) if step >= warmup]
    assert sum(step % ready == 0 for step in chances) >= 15


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (
            lambda: Anchor(5.0, 1.0, "a table"),
            "Anchor: low = 5.0, high = 1.0 must be numbers, of which high is the larger",
        ),
        (lambda: Anchor(5.0, 5.0, "a table"), "high = 5.0 must be"),
        (lambda: Anchor(math.nan, 1.0, "a table"), "low = nan"),
        (
            lambda: Measure("score", "", None, "steps", margin=-1.0),
            "Measure: margin = -1.0 must be a finite number above 0",
        ),
        (lambda: Measure("score", "", None, "steps", margin="1"), "margin = '1'"),
        (lambda: Expected("pbt", "score", math.inf, "high"), "Expected: value = inf must be a finite number"),
        (lambda: Expected("pbt", "score", 1.0, "sure"), "mark = 'sure' must be one of ['high', 'medium', 'recall']"),
    ],
)
def test_what_would_turn_a_score_or_a_verdict_round_is_refused_where_it_is_declared(declare, words):
    """People below random play, a margin below zero."""
    with pytest.raises(ValueError, match=re.escape(words)):
        declare()
