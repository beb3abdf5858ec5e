"""Sizes that no machine could hold, and settings that only look like another: one line, before anything is made."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from reproductions.shared.bounds import check_memory
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import missing
from reproductions.suite.study.settings import Settings, resolve


def smoke(domain: str, *overrides: str) -> Settings:
    method = next(iter(registry.sweep(domain).METHODS))
    settings = resolve(domain, method, scale="smoke", overrides=[f"task.{text}" for text in overrides])
    if reasons := missing(domain, settings.task):
        pytest.skip(f"{domain} needs {reasons[0]}")
    return settings


@pytest.mark.parametrize("domain", registry.domains())
@pytest.mark.parametrize("value", [10**9, 2**63 - 1])
def test_no_whole_number_of_a_task_is_without_an_upper_bound(domain: str, value: int) -> None:
    """Whatever it counts: units, images, layers, steps of an unroll, edges of a picture."""
    cls = registry.task_class(domain)
    defaults = {field.name: field.default for field in dataclasses.fields(cls)}
    counts = [name for name, default in defaults.items() if type(default) is int]
    for name in (*counts, *(name for name in ("classifier_epochs", "longest", "sentences") if name in defaults)):
        with pytest.raises(ConfigError, match=rf"^task\.{name}\b.*{value}.*(less than or equal to|must be one of)"):
            smoke(domain, f"{name}={value}").build_task()


@pytest.mark.parametrize(
    ("domain", "text"), [("starcraft", "size=16.0"), ("dmlab", "actions=9.0"), ("starcraft", "size=[16]")]
)
def test_a_number_that_must_be_one_of_some_is_a_whole_one(domain: str, text: str) -> None:
    """16.0 is equal to 16, but another setting, and so another run."""
    with pytest.raises(ConfigError, match=rf"^task\.{text.partition('=')[0]} = .*valid integer"):
        smoke(domain, text).build_task()
    with pytest.raises(ConfigError, match=r"^task\.size: 17 must be one of \[16, 32, 64\]"):
        smoke("starcraft", "size=17").build_task()


@pytest.mark.parametrize("domain", [domain for domain in registry.domains() if domain != "toy"])
def test_names_are_of_a_length_that_can_be_shown(domain: str) -> None:
    """A message shows the beginning of a longer one."""
    defaults = {field.name: field.default for field in dataclasses.fields(registry.task_class(domain))}
    settings = smoke(domain)
    for name in {"game", "level", "map", "corpus"} & set(defaults):
        with pytest.raises(ConfigError, match=rf"^task\.{name} = 'x{{59}}\.\.\. \(.*at most 100 characters"):
            settings.model_copy(update={"task": {**settings.task, name: "x" * 300}}).build_task()


@pytest.mark.parametrize(
    ("domain", "overrides", "words"),
    [
        ("atari", ["d=1000000"], r"the weights of an agent with .*task\.d = 1000000"),
        (
            "classifier",
            ["batch=1000000", "hidden=1000000"],
            r"task\.batch = 1000000 images with task\.hidden = 1000000",
        ),
        ("dmlab", ["frames=1000000", "size=1000"], r"task\.frames = 1000000 of task\.size = 1000"),
        ("gan", ["width=1000000"], r"the weights of networks with task\.width = 1000000"),
        ("gan", ["d_steps=1000000", "batch=1000000"], r"task\.d_steps = 1000000 batches of task\.batch = 1000000"),
        ("starcraft", ["channels=[1000000, 1000000]"], r"the weights of an agent .*\(1000000, 1000000\)"),
        ("translation", ["width=1000000"], r"the weights of a Transformer with .*task\.width = 1000000"),
    ],
)
def test_what_no_machine_has_the_memory_for_is_refused_before_anything_is_made(
    domain: str, overrides: list[str], words: str
) -> None:
    """One line with the settings, what they would take and what there is."""
    settings = smoke(domain, *overrides)
    task: Any = settings.build_task()
    with pytest.raises(
        ConfigError, match=rf"{words}.* take [\d,]+ GiB of memory at least, and this machine has \d+ GiB$"
    ):
        task.prepare(settings.plan())


@pytest.mark.parametrize(
    ("domain", "overrides", "words"),
    [
        (
            "dmlab",
            ["actions=15"],
            "task.actions = 15 has no effect: they are DeepMind Lab's, and task.engine = 'vizdoom' has",
        ),
        (
            "atari",
            ["agent=lstm", "random_goals=0.1"],
            "task.random_goals = 0.1 has no effect: task.agent = 'lstm' has no goals",
        ),
        (
            "starcraft",
            ["tune_entropy_cost=true", "entropy_cost=0.1"],
            "task.entropy_cost = 0.1 has no effect: task.tune_",
        ),
    ],
)
def test_what_has_no_effect_is_refused(domain: str, overrides: list[str], words: str) -> None:
    """Whoever sets it means something by it; the run would be another one than was asked for."""
    settings = smoke(domain, *overrides)
    with pytest.raises(ConfigError, match=f"^{re.escape(words)}"):
        settings.build_task().prepare(settings.plan())


def test_what_fits_is_taken() -> None:
    """A byte does, and an exabyte does not."""
    check_memory("task.batch = 1 image", 1)
    with pytest.raises(ConfigError, match=r"^task\.batch = 2 images take 1,073,741,824 GiB"):
        check_memory("task.batch = 2 images", 2**60)
