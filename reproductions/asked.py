"""The runs that a configuration asks for: each is resolved before any starts, so that none fails for what it was told."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
import re
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pbt_core import Stream
from pbt_core.lineage import Segment
from reproductions import registry
from reproductions.registry import ConfigError
from reproductions.settings import Settings, resolve

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


def check(config: Mapping[str, Any]) -> None:
    """ConfigError unless all runs of a complete configuration can be run, and those of each experiment compared."""
    with tempfile.TemporaryDirectory() as folder:
        lineage = Path(folder) / "lineage.json"

        @cache  # experiments share runs, and seeds differ in nothing else
        def budget(domain: str, problem: str, method: str, variant: str) -> int:
            changes = config["variants"][variant] if variant != DEFAULT else {}
            settings = _resolved(config["scale"], domain, problem, method, variant, changes, lineage)
            return settings.population * settings.steps

        for section in ("experiments", "demo"):
            for name, experiment in config[section].items():
                _check_experiment(f"config.{section}.{name}", experiment, budget)
            _check_replays(f"config.{section}", config[section])


def _check_experiment(key: str, experiment: Mapping[str, Any], budget: Callable[..., int]) -> None:
    """``budget`` is the member-steps of a run by domain, problem, method and variant; ConfigError if it cannot be run."""
    for problem in experiment["problems"]:
        found: dict[str, int] = {}
        for name in experiment["methods"]:
            method, _, variant = name.partition(":")
            try:
                found[name] = budget(experiment["domain"], problem, method, variant or DEFAULT)
            except ConfigError as error:
                place = f"config.variants.{variant}: {error} ({name} of {key} on {problem})"
                raise ConfigError(place if variant else f"{key}.methods: {name} on {problem}: {error}") from None
        if len(set(found.values())) > 1 and not experiment.get("budgets_differ"):
            least, most = min(found, key=found.__getitem__), max(found, key=found.__getitem__)
            raise ConfigError(
                f"{key}.methods: {most} has {found[most]} member-steps and {least} {found[least]}: budgets must be equal, "
                "or budgets_differ: true must say that this is what is studied"
            )


def _resolved(
    scale: str, domain: str, problem: str, method: str, variant: str, changes: Mapping[str, Any], lineage: Path
) -> Settings:
    """The settings of a run whose seed is yet to be chosen; ConfigError if there can be none."""
    told = overrides(changes)
    if method == "replay":
        _write_stand_in(lineage, domain)
        told.append(f"search.lineage={json.dumps(str(lineage))}")
    for key in CHOSEN:
        if key in changes:
            raise ConfigError(f"{key} = {changes[key]!r}: the {key} is chosen for each run, not by a variant")
    try:
        settings = resolve(domain, method, scale=scale, variant=variant, problem=problem, overrides=told)
    except ConfigError as error:
        raise ConfigError(str(error).removeprefix("--set ")) from None
    if any(key.partition(".")[0] == "task" for key in changes) and _can_be_built(domain):
        settings.build_task()
    return settings


def _can_be_built(domain: str) -> bool:
    """Whether what the domain's task needs is on this machine, which may be one that only plans."""
    return all(importlib.util.find_spec(module) for module in registry.sweep(domain).REQUIRES)


def _write_stand_in(lineage: Path, domain: str) -> None:
    """A schedule for a replay to be checked with: that of PBT is not there yet."""
    values = registry.sweep(domain).SPACE.sample(Stream(0).generator())
    segment = dataclasses.asdict(Segment(start=0, stop=1, member=0, member_step=0, hyperparameters=values))
    lineage.write_text(json.dumps({"schedule": [segment]}), encoding="utf-8")


def _check_replays(key: str, experiments: Mapping[str, Mapping[str, Any]]) -> None:
    """ConfigError where a replay has no run of PBT that the same section asks for."""
    replayable = {run for experiment in experiments.values() for run in _runs(experiment, {"pbt"})}
    for name, experiment in experiments.items():
        replays = {asked for asked in experiment["methods"] if asked.partition(":")[0] == "replay"}
        for domain, problem, seed in sorted(_runs(experiment, replays) - replayable):
            raise ConfigError(
                f"{key}.{name}.methods: {sorted(replays)[0]!r} needs 'pbt' of {domain} on {problem} with seed {seed}, "
                f"here or in another of {key}"
            )


def _runs(experiment: Mapping[str, Any], methods: set[str]) -> set[tuple[str, str, int]]:
    """Domain, problem and seed of the runs of any of the ``methods``."""
    if not methods & set(experiment["methods"]):
        return set()
    return {(experiment["domain"], problem, seed) for problem in experiment["problems"] for seed in experiment["seeds"]}
