"""The runs that a configuration asks for: each is resolved before any starts, so that none fails for what it was told."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pbt_core import Stream
from pbt_core.lineage import Segment
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import Settings, resolve

#: The variant of a run without overrides.
DEFAULT = "default"
#: What an experiment, or the workflow, chooses for each run; a variant is the same for all.
CHOSEN = ("seed", "variant", "search.lineage")


def overrides(variant: Mapping[str, Any]) -> list[str]:
    """The settings of a variant in the form of ``--set``, whose values are YAML; each is one line."""
    return [f"{key}={_yaml(value)}" for key, value in variant.items()]


def _yaml(value: Any) -> str:
    """JSON as YAML reads it back: a float has a point or is text, and some characters end lines."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_yaml(key)}: {_yaml(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, float):
        text = repr(value)
        if not math.isfinite(value):
            return text.replace("inf", ".inf").replace("nan", ".nan")
        return text if "." in text else text.replace("e", ".0e")
    escaped = r"[\x7f-\x9f\u2028\u2029\ufeff]"
    return re.sub(escaped, lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


class Asked:
    """The runs that a complete configuration asks for, each resolved once.

    Whether they can be run is asked for what is to be made, not for the whole configuration: an overlay of one experiment at
    another scale need not know whether the other experiments fit that scale.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        # Seeds differ in nothing that could be wrong.
        self.settings = cache(self._settings)
        self.check = cache(self._check)

    def check_all(self) -> None:
        """``check`` every experiment."""
        for section in ("experiments", "demo"):
            for name in self._config[section]:
                self.check(section, name)

    def _check(self, section: str, name: str) -> None:
        """ConfigError unless all runs of an experiment can be run and compared; ``section`` is "experiments" or "demo"."""
        key, experiment = f"config.{section}.{name}", self._config[section][name]
        for problem in experiment["problems"]:
            budgets: dict[str, int] = {}
            for asked in experiment["methods"]:
                method, _, variant = asked.partition(":")
                try:
                    settings = self.settings(experiment["domain"], problem, method, variant or DEFAULT)
                except ConfigError as error:
                    told = f"{error} ({key}, {asked} on {problem})"
                    raise ConfigError(told if variant else f"{key}.methods: {asked} on {problem}: {error}") from None
                budgets[asked] = settings.population * settings.steps
            if len(set(budgets.values())) > 1 and not experiment.get("budgets_differ"):
                least, most = min(budgets, key=budgets.__getitem__), max(budgets, key=budgets.__getitem__)
                raise ConfigError(
                    f"{key}.methods: {most} has {budgets[most]} member-steps and {least} {budgets[least]}: budgets must be "
                    "equal, or budgets_differ: true must say that this is what is studied"
                )
        self._check_replays(section, name)

    def _check_replays(self, section: str, name: str) -> None:
        """ConfigError where a replay has no run of PBT that the same section asks for."""
        experiment = self._config[section][name]
        replays = {asked for asked in experiment["methods"] if asked.partition(":")[0] == "replay"}
        there = {run for other in self._config[section].values() for run in _runs(other, {"pbt"})}
        for domain, problem, seed in sorted(_runs(experiment, replays) - there):
            raise ConfigError(
                f"config.{section}.{name}.methods: {min(replays)!r} needs 'pbt' of {domain} on {problem} with seed {seed}, "
                f"here or in another of config.{section}"
            )

    def _settings(self, domain: str, problem: str, method: str, variant: str) -> Settings:
        """The settings of a run whose seed is yet to be chosen; ConfigError if there can be none."""
        changes = self._config["variants"][variant] if variant != DEFAULT else {}
        try:
            return _resolved(self._config["scale"], domain, problem, method, variant, changes)
        except ConfigError as error:
            where = "" if variant == DEFAULT else f"config.variants.{variant}: "
            raise ConfigError(where + str(error).removeprefix("--set ")) from None


def _resolved(scale: str, domain: str, problem: str, method: str, variant: str, changes: Mapping[str, Any]) -> Settings:
    for key in CHOSEN:
        if key in changes:
            raise ConfigError(f"{key} = {changes[key]!r}: the {key} is chosen for each run, not by a variant")
    with tempfile.TemporaryDirectory() as folder:
        told = overrides(changes)
        if method == "replay":
            told.append(f"search.lineage={_yaml(str(_stand_in(Path(folder), domain)))}")
        settings = resolve(domain, method, scale=scale, variant=variant, problem=problem, overrides=told)
    if any(key.partition(".")[0] == "task" for key in changes) and _can_be_built(domain):
        settings.build_task()
    return settings


def _can_be_built(domain: str) -> bool:
    """Whether what the domain's task needs is on this machine, which may be one that only plans."""
    return all(importlib.util.find_spec(module) for module in registry.sweep(domain).REQUIRES)


def _stand_in(folder: Path, domain: str) -> Path:
    """A schedule for a replay to be checked with: that of PBT is not there yet."""
    values = registry.sweep(domain).SPACE.sample(Stream(0).generator())
    segment = dataclasses.asdict(Segment(start=0, stop=1, member=0, member_step=0, hyperparameters=values))
    lineage = folder / "lineage.json"
    tree = {"members": [0], "best": 0, "founders": {"0": 0}, "clones": [], "schedule": [segment]}
    lineage.write_text(json.dumps(tree), encoding="utf-8")
    return lineage


def _runs(experiment: Mapping[str, Any], methods: set[str]) -> set[tuple[str, str, int]]:
    """Domain, problem and seed of the runs of any of the ``methods``."""
    if not methods & set(experiment["methods"]):
        return set()
    return {(experiment["domain"], problem, seed) for problem in experiment["problems"] for seed in experiment["seeds"]}
