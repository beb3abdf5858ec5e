"""The runs that a configuration asks for: each is resolved before any starts, so that none fails later for a wrong setting."""

from __future__ import annotations

import dataclasses
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pbt_core import Stream
from pbt_core.lineage import Segment
from reproductions.suite.running.accelerators import must_be_supported
from reproductions.suite.running.execution import Execution, knowing, resolve_execution
from reproductions.suite.study import registry
from reproductions.suite.study.figure_names import drawable, meant
from reproductions.suite.study.inputs import shown
from reproductions.suite.study.names import DEFAULT, SECTIONS, RunName, parse_method
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.requirements import importable
from reproductions.suite.study.settings import Settings, resolve

#: What an experiment, or the workflow, chooses for each run; a variant is the same for all.
CHOSEN = ("seed", "variant", "search.lineage")
#: A run's processes are at most so many, as the field itself says.
MOST_CORES: int = next(rule.le for rule in Execution.model_fields["workers"].metadata if hasattr(rule, "le"))


def overrides(variant: Mapping[str, Any]) -> list[str]:
    """The settings of a variant in the form of ``--set``, whose values are YAML; each is one line."""
    return [f"{key}={_yaml(value)}" for key, value in variant.items()]


def _yaml(value: Any) -> str:
    """JSON, which is YAML but for some characters that YAML takes for the ends of lines, or does not take."""
    escaped = r"[\x7f-\x9f\u2028\u2029\ufeff]"
    return re.sub(escaped, lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))


def replayed(run: RunName) -> RunName | None:
    """The run whose lineage a replay trains anew: PBT with the same seed on the same problem; None for other methods."""
    return dataclasses.replace(run, method="pbt", variant=DEFAULT) if run.method == "replay" else None


class RequestedRuns:
    """The runs that a complete configuration asks for, each resolved once.

    Only runs that are to be made are checked, not the whole configuration: an overlay may put one experiment at another scale
    that does not suit the other experiments.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._execution: Mapping[str, Any] = config.get("execution", {})
        for domain in self._execution:
            if domain not in (known := registry.domains()):
                raise ConfigError(f"config.execution: {shown(domain)} must be one of {list(known)}")
        self._resolved = cache(self._resolve)
        self.check = cache(self._check)

    def runs(self, section: str, experiment: str) -> list[RunName]:
        """The runs of an experiment, problem by problem and method by method; ``section`` is one of SECTIONS."""
        chosen = self._config[section][experiment]
        return [
            RunName(self._config["scale"], chosen["domain"], problem, *parse_method(method), seed)
            for problem in chosen["problems"]
            for method in chosen["methods"]
            for seed in chosen["seeds"]
        ]

    def settings(self, run: RunName) -> Settings:
        """The settings of a run, but for its seed; ConfigError if they are not valid."""
        return self._resolved(dataclasses.replace(run, seed=0))  # seeds differ in nothing that could be wrong

    def changes(self, run: RunName) -> list[str]:
        """What the variant of a run changes, in the form of ``--set``."""
        return overrides(self._variant(run))

    def execution(self, domain: str) -> Execution:
        """The engine and the device of a domain's runs: those of its ``execution`` in the configuration, else the scale's.

        ConfigError if they do not go together. Whether the device is there is for the machine that runs them.
        """
        try:
            return resolve_execution(domain, self._config["scale"], **self._execution.get(domain, {}))
        except ConfigError as error:
            raise ConfigError(f"config.execution.{domain}: {error}") from None

    def cores(self, run: RunName) -> int:
        """The cores of a run: its domain's ``threads`` in the configuration; else its workers, at most one a member."""
        threads: Mapping[str, int] = self._config["threads"]
        execution = self.execution(run.domain)
        if execution.engine not in knowing("workers"):
            return 1
        return threads.get(run.domain) or execution.workers or min(self.settings(run).population, MOST_CORES)

    def check_all(self) -> None:
        """``check`` every experiment."""
        for section in SECTIONS:
            for name in self._config[section]:
                self.check(section, name)

    def _check(self, section: str, name: str) -> None:
        """ConfigError unless all runs of an experiment can be run and compared."""
        key, experiment = f"config.{section}.{name}", self._config[section][name]
        engine = (execution := self.execution(domain := experiment["domain"])).engine
        if (cores := self._config["threads"].get(domain, 1)) > 1 and engine not in knowing("workers"):
            raise ConfigError(f"config.threads.{domain}: {cores} must be 1: the engine {engine!r} has one worker")
        for problem in experiment["problems"]:
            budgets: dict[str, int] = {}
            for method in experiment["methods"]:
                run = RunName(self._config["scale"], experiment["domain"], problem, *parse_method(method))
                try:
                    settings = self.settings(run)
                except ConfigError as error:
                    after = f"{error} ({key}, {method} on {problem})"
                    before = f"{key}.methods: {method} on {problem}: {error}"
                    raise ConfigError(before if run.variant == DEFAULT else after) from None
                try:
                    execution.check(settings)
                    if execution.device != "cpu" and domain in self._execution:
                        must_be_supported(execution.device, settings.build_task().devices)
                except ConfigError as error:
                    raise ConfigError(f"config.execution.{domain}: {error} ({key})") from None
                budgets[method] = settings.population * settings.steps
            if len(set(budgets.values())) > 1 and not experiment.get("budgets_differ"):
                least, most = min(budgets, key=budgets.__getitem__), max(budgets, key=budgets.__getitem__)
                raise ConfigError(
                    f"{key}.methods: {most} has {budgets[most]} member-steps and {least} {budgets[least]}: budgets must be "
                    "equal, or budgets_differ: true must say that this is what is studied"
                )
        self._check_replays(section, name)

    def check_figures(self, section: str, name: str, runs: Iterable[RunName]) -> None:
        """ConfigError where an experiment asks for a figure that none can be of the ``runs`` that it is made of."""
        experiment = self._config[section][name]
        problems = list(dict.fromkeys(run.problem for run in runs))
        known = drawable(experiment["domain"], problems)
        for figure in experiment.get("figures", ()):
            if not meant(figure, problems, known):
                raise ConfigError(f"config.{section}.{name}.figures: {shown(figure)} must be one of {known}")

    def _check_replays(self, section: str, name: str) -> None:
        """ConfigError where a replay has no run of PBT that the same section asks for."""
        asked_for = {run for other in self._config[section] for run in self.runs(section, other)}
        for run in self.runs(section, name):
            if (source := replayed(run)) is not None and source not in asked_for:
                raise ConfigError(
                    f"config.{section}.{name}.methods: 'replay' needs 'pbt' of {run.domain} on {run.problem} with seed "
                    f"{run.seed}, here or in another of config.{section}"
                )

    def _variant(self, run: RunName) -> Mapping[str, Any]:
        settings: Mapping[str, Any] = {} if run.variant == DEFAULT else self._config["variants"][run.variant]
        return settings

    def _resolve(self, run: RunName) -> Settings:
        try:
            return _resolved(run, self._variant(run))
        except ConfigError as error:
            where = "" if run.variant == DEFAULT else f"config.variants.{run.variant}: "
            raise ConfigError(where + str(error).removeprefix("--set ")) from None


def _resolved(run: RunName, changes: Mapping[str, Any]) -> Settings:
    for key in CHOSEN:
        if key in changes:
            raise ConfigError(f"{key} = {changes[key]!r}: the {key} is chosen for each run, not by a variant")
    with tempfile.TemporaryDirectory() as folder:
        options = overrides(changes)
        if replayed(run) is not None:
            options.append(f"search.lineage={_yaml(str(_stand_in(Path(folder), run.domain, run.problem)))}")
        settings = resolve(
            run.domain, run.method, scale=run.scale, variant=run.variant, problem=run.problem, overrides=options
        )
    if any(key.partition(".")[0] == "task" for key in changes) and importable(run.domain):
        settings.build_task()
    return settings


def _stand_in(folder: Path, domain: str, problem: str) -> Path:
    """A placeholder schedule to check a replay with: PBT's does not exist yet."""
    values = registry.space(domain, problem, {}).sample(Stream(0).generator())
    segment = dataclasses.asdict(Segment(start=0, stop=1, member=0, member_step=0, hyperparameters=values))
    lineage = folder / "lineage.json"
    tree = {"members": [0], "best": 0, "founders": {"0": 0}, "clones": [], "schedule": [segment]}
    lineage.write_text(json.dumps(tree), encoding="utf-8")
    return lineage
