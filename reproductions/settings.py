"""Everything that decides the outcome of a run, resolved and validated before any work starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from baselines import Scheduled
from pbt_core import Plan, Processes, Serial, Space, Stream
from pbt_core.engines import Engine
from pbt_core.task import AnyTask
from reproductions import registry
from reproductions.methods import AnyMethod
from reproductions.operators import Spec
from reproductions.registry import ConfigError

SCALES = ("smoke", "laptop", "paper")


class Settings(Spec):
    """One run. Engine and workers do not change a synchronous run's record, everything else may."""

    domain: str
    problem: str
    method: str
    variant: str = Field("default", pattern=r"^[A-Za-z0-9._-]+$")
    seed: int = Field(ge=0)
    scale: Literal["smoke", "laptop", "paper"]
    population: int = Field(ge=1)
    steps: int = Field(ge=1)
    interval: int = Field(ge=1)
    synchronous: bool
    engine: Literal["serial", "processes"]
    workers: int | None = Field(None, ge=1)
    timeout: float | None = Field(None, gt=0)
    search: AnyMethod
    task: dict[str, Any] = Field(default_factory=dict)

    def plan(self) -> Plan:
        return Plan(self.population, self.steps, self.interval, self.seed, self.synchronous)

    def build_engine(self) -> Engine:
        if self.engine == "serial":
            return Serial()
        return Processes(workers=self.workers, timeout=self.timeout)

    def build_task(self) -> AnyTask:
        """The task, its settings validated. ConfigError names what is missing or wrong."""
        cls = registry.task_class(self.domain)
        unknown = sorted(set(self.task) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            known = sorted(field.name for field in dataclasses.fields(cls))
            raise ConfigError(f"task.{unknown[0]} = {self.task[unknown[0]]!r}: no such key; {cls.__name__} has {known}")
        try:
            task: AnyTask = TypeAdapter(cls).validate_python(self.task)
        except ValidationError as error:
            raise ConfigError(_explain(error, self.task, "task")) from None
        return task


def resolve(
    domain: str,
    method: str,
    seed: int = 0,
    scale: str = "laptop",
    variant: str = "default",
    problem: str | None = None,
    overrides: Sequence[str] = (),
    **chosen: Any,
) -> Settings:
    """Settings of a run from the domain's sweep, the scale and overrides such as ``search.exploit.fraction=0.1``.

    The task's settings are the scale's, then the problem's, then the overrides. Without a problem it is the scale's first.
    ``chosen`` are keys of Settings; None leaves the scale's value. Raises ConfigError with one line that names the key,
    the value and the rule. Nothing is written, no simulator is loaded.
    """
    sweep = registry.sweep(domain)
    if scale not in sweep.SCALES:
        raise ConfigError(f"scale = {scale!r} must be one of {list(sweep.SCALES)}")
    size = dataclasses.asdict(sweep.SCALES[scale])
    first, *_ = size.pop("problems")
    problem = first if problem is None else problem
    if problem not in sweep.PROBLEMS:
        raise ConfigError(f"problem = {problem!r} must be one of {list(sweep.PROBLEMS)} in domain {domain!r}")
    methods: dict[str, dict[str, Any]] = {**sweep.METHODS, **size.pop("methods")}
    if method not in methods and method != "replay":
        raise ConfigError(f"method = {method!r} must be one of {[*methods, 'replay']} in domain {domain!r}")
    search = {**methods.get(method, {"kind": "replay"})}
    size |= search.pop("plan", {})
    named = {"domain": domain, "problem": problem, "method": method, "scale": scale}
    data: dict[str, Any] = {**size, **named, "variant": variant, "seed": seed, "search": _copied(search)}
    data["task"] |= _copied(sweep.PROBLEMS[problem])
    data |= {key: value for key, value in chosen.items() if value is not None}
    for override in overrides:
        _override(data, override)
    for key, value in named.items():
        if data[key] != value:  # its settings were taken from the sweep already: only the name would change
            raise ConfigError(f"--set {key}={data[key]}: the {key} is an argument of its own, not a setting")
    try:
        settings = Settings.model_validate(data)
        settings.plan()
        _check_values(settings, sweep.SPACE)
    except ValidationError as error:
        raise ConfigError(_explain(error, data)) from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if settings.engine == "serial" and settings.timeout is not None:
        raise ConfigError(
            f"timeout = {settings.timeout} needs engine = 'processes': nobody can interrupt the serial engine"
        )
    ready = getattr(settings.search, "ready", None)
    if ready is not None and ready < settings.interval:
        raise ConfigError(f"search.ready = {ready} must be at least interval = {settings.interval}")
    return settings


def _check_values(settings: Settings, space: Space) -> None:
    """Build the method and check its initial and its scheduled values against the space; ValueError says what is wrong."""
    method = settings.search.build()
    for hyperparameters in method.start(space, settings.population, Stream(settings.seed).generator()):
        space.check(hyperparameters)
    _check_trainings(settings)
    if isinstance(method, Scheduled):
        if len(method.schedules) > settings.population:
            count, size = len(method.schedules), settings.population
            raise ValueError(
                f"population = {size} must be at least {count}: every schedule of the sweep needs a member"
            )
        for step in range(0, settings.steps, settings.interval):
            for schedule in method.schedules:
                space.check(schedule.at(step))


def _check_trainings(settings: Settings) -> None:
    """Methods that train again from the beginning: whole trainings and rungs, at evaluations, that fill the steps."""
    trial, rung = (getattr(settings.search, key, None) for key in ("trial", "rung"))
    for key, value in (("trial", trial), ("rung", rung)):
        if value is not None and value % settings.interval:
            raise ValueError(f"search.{key} = {value} must be a multiple of interval = {settings.interval}")
    if trial is not None and trial > settings.steps:
        raise ValueError(f"search.trial = {trial} must be at most steps = {settings.steps}")
    if trial is not None and settings.steps % trial:
        raise ValueError(f"steps = {settings.steps} must be a multiple of search.trial = {trial}: whole trainings")


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(item) for item in value]
    return value


def _override(data: dict[str, Any], text: str) -> None:
    """Apply ``a.b.0.c=value`` (the value is YAML) to nested data."""
    path, equals, value = text.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set {text!r} must look like KEY=VALUE, for example search.exploit.fraction=0.1")
    try:
        parsed = yaml.safe_load(value)
        # YAML takes 1e-3 for text, because it has no point.
        parsed = float(parsed) if isinstance(parsed, str) and _is_float(parsed) else parsed
    except yaml.YAMLError:
        raise ConfigError(f"--set {path}: {value!r} is not a YAML value") from None
    *parents, last = path.split(".")
    inner: Any = data
    for key in parents:
        try:
            inner = inner[int(key)] if isinstance(inner, list) else inner.setdefault(key, {})
        except (ValueError, IndexError, AttributeError):
            raise ConfigError(f"--set {text}: there is no {key!r} to set in") from None
    if isinstance(inner, list) and last.isdigit() and int(last) < len(inner):
        inner[int(last)] = parsed
    elif isinstance(inner, dict):
        inner[last] = parsed
    else:
        raise ConfigError(f"--set {text}: there is no {last!r} to set")


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _explain(error: ValidationError, data: Any, prefix: str = "") -> str:
    """The first violation in one line: key, value, rule."""
    first = error.errors()[0]
    key = ".".join([*([prefix] if prefix else []), *_keys(first["loc"], data)])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] in ("missing", "extra_forbidden"):
        return f"{key}: {'is required' if first['type'] == 'missing' else 'no such key'}{more}"
    return f"{key} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}{more}"


def _keys(location: Sequence[int | str], data: Any) -> list[str]:
    """The keys as they were written: pydantic adds the kind that it chose for a description as if it were a key."""
    keys = []
    for part in location:
        if isinstance(data, Mapping) and part not in data and data.get("kind") == part:
            continue
        keys.append(str(part))
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            data = None
    return keys


__all__ = ["SCALES", "ConfigError", "Settings", "resolve"]
