"""Everything that decides the outcome of a run, resolved and validated before any work starts."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from baselines.scheduled import Scheduled
from pbt_core import Method, Plan, Space, Stream, Until
from reproductions.suite.results import schemas
from reproductions.suite.running.execution import Execution
from reproductions.suite.study import descriptions, registry
from reproductions.suite.study.domain import DomainTask
from reproductions.suite.study.inputs import SHOWN, Checked, first_violation, shown
from reproductions.suite.study.kinds import METHOD
from reproductions.suite.study.names import DEFAULT, LONGEST_VARIANT, SCALES, WORD, ScaleName
from reproductions.suite.study.overrides import apply
from reproductions.suite.study.plain_values import plain
from reproductions.suite.study.registry import ConfigError

#: A run is kept in memory as a whole, and each evaluation takes about a kilobyte of its record.
MOST_EVALUATIONS = 10**9
#: Schedules are checked against their bounds at most at so many steps.
CHECKED_STEPS = 100_000
#: The first settings of at most so many members are checked against their bounds before a run.
CHECKED_MEMBERS = 1_000
#: What is said of how runs are carried out; none of it is a setting, each has an option of its own.
EXECUTION = tuple(Execution.model_fields)


class Stop(Checked):
    """When a run ends before its steps are done: see ``pbt_core.Until``."""

    seconds: float | None = Field(None, gt=0)
    score: float | None = None


class Settings(Checked):
    """What is asked for: everything that can change a run's record. How it is carried out is ``running.execution``.

    ``search`` is the description of the method, with every default: see ``descriptions``.
    """

    domain: str
    problem: str
    method: str
    # Becomes a folder: no "..", nothing hidden, nothing that looks like an option.
    variant: str = Field(DEFAULT, pattern=f"^(?:{WORD})$", max_length=LONGEST_VARIANT)
    seed: int = Field(ge=0, lt=2**63)
    scale: ScaleName
    population: int = Field(ge=1, le=1_000_000)
    steps: int = Field(ge=1, le=2**53)
    interval: int = Field(ge=1, le=2**53)
    synchronous: bool
    stop: Stop | None = None
    search: dict[str, Any]
    task: dict[str, Any] = Field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind of the search method, as ``kinds`` names it."""
        return str(self.search["kind"])

    def plan(self) -> Plan:
        stop = None if self.stop is None else Until(self.stop.seconds, self.stop.score)
        return Plan(self.population, self.steps, self.interval, self.seed, self.synchronous, stop)

    def build_method(self) -> Method:
        """The search method. ConfigError names what is missing or wrong."""
        method: Method = descriptions.build(METHOD, self.search, "search")
        return method

    def build_task(self) -> DomainTask[Any]:
        """The task, its settings validated. ConfigError names what is missing or wrong."""
        cls = registry.task_class(self.domain)
        unknown = sorted(set(self.task) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            known = sorted(field.name for field in dataclasses.fields(cls))
            value = shown(self.task[unknown[0]])
            raise ConfigError(f"task.{unknown[0]} = {value}: no such key; {cls.__name__} has {known}")
        try:
            # As JSON, in which nothing but a list stands for a tuple and no truth value for a number.
            task: DomainTask[Any] = TypeAdapter(cls).validate_json(json.dumps(self.task), strict=True)
        except ValidationError as error:
            raise ConfigError(first_violation(error, "task")) from None
        return task


def resolve(
    domain: str,
    method: str,
    seed: int = 0,
    scale: str = "laptop",
    variant: str = DEFAULT,
    problem: str | None = None,
    overrides: Sequence[str] = (),
    lineage: Path | None = None,
    **chosen: Any,
) -> Settings:
    """Settings of a run from the domain's sweep, the scale and overrides such as ``search.exploit.fraction=0.1``.

    The task's settings are the scale's, then the problem's, then the overrides, which cannot change what makes the problem.
    Without a problem it is the scale's first.
    ``lineage`` is the file that a replay trains on. ``chosen`` are keys of Settings; None leaves the scale's value. Raises
    ConfigError with one line that names the key, the value and the rule. Nothing is written, no simulator is loaded.
    """
    sweep = registry.sweep(domain)
    _check_names(domain, scale, method, problem)
    size = {key: value for key, value in dataclasses.asdict(sweep.SCALES[scale]).items() if key not in EXECUTION}
    first, *_ = size.pop("problems")
    problem = first if problem is None else problem
    methods: dict[str, dict[str, Any]] = {**sweep.METHODS, **size.pop("methods")}
    search = {**methods.get(method, {"kind": "replay"})}
    size |= search.pop("plan", {})
    named = {"domain": domain, "problem": problem, "method": method, "scale": scale}
    data: dict[str, Any] = {**size, **named, "variant": variant, "seed": seed, "search": _copied(search)}
    data["task"] |= _copied(sweep.PROBLEMS[problem])
    data |= {key: value for key, value in chosen.items() if value is not None}
    apply(data, overrides)
    _check_problem(data["task"], domain, problem)
    for key in EXECUTION:
        if key in data:
            raise ConfigError(
                f"--set {key} = {shown(data[key])}: how a run is carried out is no setting of it: use --{key}"
            )
    if lineage is not None and isinstance(data["search"], dict):
        data["search"]["lineage"] = str(lineage)
    for key, value in named.items():
        if data[key] != value:  # its settings were taken from the sweep already: only the name would change
            raise ConfigError(
                f"--set {key}={str(data[key])[:SHOWN]}: the {key} is an argument of its own, not a setting"
            )
    return valid(data)


def valid(data: Mapping[str, Any]) -> Settings:
    """The settings that ``data`` holds, those of the method complete; ConfigError, in one line, if they cannot be run."""
    plain(data)
    settings = _settings({**data, "search": descriptions.complete(METHOD, data.get("search"), "search")})
    _check_names(settings.domain, settings.scale, settings.method, settings.problem)
    try:
        settings.plan()
        _check_values(settings, registry.space(settings.domain, settings.problem, settings.task))
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(str(error)) from None
    ready = settings.search.get("ready")
    if ready is not None and ready < settings.interval:
        raise ConfigError(f"search.ready = {ready} must be at least interval = {settings.interval}")
    return settings


def _settings(data: Mapping[str, Any]) -> Settings:
    try:
        # As JSON, in which nothing but a list stands for a tuple and no truth value for a number.
        return Settings.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        raise ConfigError(first_violation(error)) from None


def _check_names(domain: str, scale: str, method: str, problem: str | None) -> None:
    """ConfigError unless the domain has this scale, this method and this problem, None for the scale's first."""
    sweep = registry.sweep(domain)
    if scale not in sweep.SCALES:
        raise ConfigError(f"scale = {shown(scale)} must be one of {list(sweep.SCALES)}")
    if problem is not None and problem not in sweep.PROBLEMS:
        raise ConfigError(f"problem = {shown(problem)} must be one of {list(sweep.PROBLEMS)} in domain {domain!r}")
    methods = [*sweep.METHODS, *sweep.SCALES[scale].methods, "replay"]
    if method not in methods:
        raise ConfigError(
            f"method = {shown(method)} must be one of {list(dict.fromkeys(methods))} in domain {domain!r}"
        )


def _check_problem(task: Any, domain: str, problem: str) -> None:
    """ConfigError where a task has not the settings that make its problem: its runs would have the name of another one."""
    for key, value in _copied(registry.sweep(domain).PROBLEMS[problem]).items():
        if isinstance(task, dict) and task.get(key) != value:
            now = shown(task.get(key))
            raise ConfigError(
                f"--set task.{key} = {now}: makes another problem than {problem!r}, which has {shown(value)}: use --problem, "
                f"or add one to PROBLEMS of reproductions/{domain}/sweep.py"
            )


def _check_values(settings: Settings, space: Space) -> None:
    """Build the method and check its initial and its scheduled values against the space; ValueError says what is wrong."""
    evaluations = settings.population * -(-settings.steps // settings.interval)
    if evaluations > MOST_EVALUATIONS:
        raise ValueError(
            f"interval = {settings.interval} makes {evaluations} evaluations of population = {settings.population} "
            f"over steps = {settings.steps}: must be at most {MOST_EVALUATIONS}"
        )
    if (lineage := settings.search.get("lineage")) is not None:
        for number, stretch in enumerate(schemas.schedule(Path(lineage))):
            try:
                space.check(stretch.hyperparameters)
            except ValueError as error:
                raise ConfigError(f"{lineage}: schedule.{number}.hyperparameters: {error}") from None
    method = settings.build_method()
    known = len(settings.search.get("initial", ()))
    size = min(settings.population, max(known, CHECKED_MEMBERS))
    for hyperparameters in method.start(space, size, Stream(settings.seed).generator()):
        space.check(hyperparameters)
    _check_trainings(settings)
    if isinstance(method, Scheduled):
        if len(method.schedules) > settings.population:
            count, size = len(method.schedules), settings.population
            raise ValueError(
                f"population = {size} must be at least {count}: every schedule of the sweep needs a member"
            )
        stride = settings.interval * -(-settings.steps // (settings.interval * CHECKED_STEPS))
        for step in range(0, settings.steps, stride):
            for schedule in method.schedules:
                space.check(schedule.at(step))


def _check_trainings(settings: Settings) -> None:
    """For methods that train again and again: trainings and rungs end at evaluations, and whole trainings fill the steps."""
    for key in ("training_steps", "first_rung"):
        if settings.search.get(key, 0) % settings.interval:
            value = settings.search[key]
            raise ValueError(f"search.{key} = {value} must be a multiple of interval = {settings.interval}")
    length = settings.search.get("training_steps")
    if length is not None and length > settings.steps:
        raise ValueError(f"search.training_steps = {length} must be at most steps = {settings.steps}")
    if length is not None and settings.steps % length:
        rule = f"must be a multiple of search.training_steps = {length}: whole trainings"
        raise ValueError(f"steps = {settings.steps} {rule}")


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


__all__ = ["SCALES", "ConfigError", "Settings", "resolve", "valid"]
