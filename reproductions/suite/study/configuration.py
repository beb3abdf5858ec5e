"""The workflow's configuration, made complete and checked before anything is planned: its files, its schema, its names.

Whether its runs can be run is for ``reproductions.suite.study.requested``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from reproductions.suite.study import core_yaml, registry
from reproductions.suite.study.inputs import read_text, shown
from reproductions.suite.study.names import DEFAULT, SECTIONS, parse_method
from reproductions.suite.study.plain_values import plain
from reproductions.suite.study.registry import ConfigError

#: What rule files say of names that no experiment may have: those of rules, and of folders beside those of experiments.
_RULE = re.compile(r"^ *rule ([a-z_]+):", re.MULTILINE)
_FOLDER = re.compile(r"\"(?:figures|results/\{[A-Za-z]+\}/tables)/\{[A-Za-z]+\}/([a-z0-9_]+)\"")
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text (in quotes)",
    "integer": "a whole number",
    "boolean": "true or false",
}


def overlaid(files: Iterable[Path], settings: Iterable[str] = ()) -> dict[str, Any]:
    """The configuration of ``files``, each laid over those before it, and of ``settings``: KEY=VALUE, whose values are YAML.

    ConfigError in one line for a file or a setting that cannot be read, and for a key that is set twice.
    """
    config: dict[str, Any] = {}
    for path in files:
        _lay(config, read(path))
    said: dict[str, str] = {}
    for text in settings:
        key, _, value = text.partition("=")
        if key in said:
            raise ConfigError(f"--config {shown(said[key])} and {shown(text)}: the key is given twice")
        said[key] = text
        try:
            _lay(config, {key: core_yaml.parse(value, f"config.{key}")})
        except core_yaml.NotYAML as error:
            raise ConfigError(f"--config {shown(text)}: {error}") from None
    return config


def _lay(below: dict[str, Any], above: Mapping[str, Any]) -> None:
    """Mappings become one; whatever else is above hides what is below."""
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(below.get(key), dict):
            _lay(below[key], value)
        else:
            below[key] = value


def read(path: Path) -> dict[str, Any]:
    """A file of the configuration. ConfigError if it cannot be read, or is no mapping."""
    content = core_yaml.read(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: it must be a mapping of keys to values, not {_shown(content)}")
    return content


def complete(config: dict[str, Any], schema: Path) -> None:
    """Fill in defaults: an experiment's domain is its name, its problems are those of the scale.

    Raises ConfigError, with the key, the value and the rule in one line, unless ``config`` is valid.
    """
    plain(config, "config")
    error = best_match(_Validator(core_yaml.read(schema)).iter_errors(config))
    if error is not None:
        raise ConfigError(f"{'.'.join(['config', *map(str, error.absolute_path)])}: {_short(error.message)}")
    config.setdefault("assume_requirements", False)
    for domain in config.setdefault("threads", {}):
        _check_one_of("config.threads", domain, registry.domains())
    if (simulated := config.get("stragglers")) is not None:
        _check_one_of("config.stragglers.domain", simulated["domain"], registry.domains())
        _check_one_of("config.stragglers.method", simulated["method"], registry.sweep(simulated["domain"]).METHODS)
    taken = _taken(schema.parent.parent)
    for section in SECTIONS:
        for name, experiment in config[section].items():
            if name in taken:
                raise ConfigError(
                    f"config.{section}.{name}: {name!r} is another target's name; it must be none of {taken}"
                )
            _complete(f"config.{section}.{name}", name, experiment, config)


def _taken(workflow: Path) -> list[str]:
    """The names that the rules of a workflow have for themselves and for their folders."""
    rules = [read_text(path) for path in workflow.glob("rules/*.smk")]
    return sorted({name for text in rules for pattern in (_RULE, _FOLDER) for name in pattern.findall(text)})


def _complete(key: str, name: str, experiment: dict[str, Any], config: Mapping[str, Any]) -> None:
    domain = experiment.setdefault("domain", name)
    _check_one_of(f"{key}.domain", domain, registry.domains())
    sweep = registry.sweep(domain)
    for problem in experiment.setdefault("problems", list(sweep.SCALES[config["scale"]].problems)):
        _check_one_of(f"{key}.problems", problem, sweep.PROBLEMS)
    for text in experiment["methods"]:
        try:
            method, variant = parse_method(text)
        except ConfigError as error:
            raise ConfigError(f"{key}.methods: {error}") from None
        _check_one_of(f"{key}.methods", method, [*sweep.METHODS, "replay"])
        if variant != DEFAULT:
            _check_one_of(f"{key}.methods: the variant of {text!r}", variant, config["variants"])


def _check_one_of(key: str, value: str, known: Iterable[str]) -> None:
    if value not in (names := list(known)):
        raise ConfigError(f"{key}: {_shown(value)} must be one of {names}")


def _is_type(_: Any, type_: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not _checker.is_type(instance, type_):
        yield ValidationError(f"{_shown(instance)} must be {_TYPES[type_]}")


def _is_one_of(_: Any, known: list[Any], instance: Any, schema: Any) -> Iterator[ValidationError]:
    if instance not in known:
        yield ValidationError(f"{_shown(instance)} must be one of {known}")


def _matches(_: Any, pattern: str, instance: Any, schema: Mapping[str, str]) -> Iterator[ValidationError]:
    """As a whole: the schema's ``$`` would let a line feed at the end pass."""
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield ValidationError(f"{_shown(instance)} must be {schema['description']}")


#: A whole number is one that was written as one: neither true nor 1.0.
_checker: TypeChecker = Draft202012Validator.TYPE_CHECKER.redefine(
    "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
)
_Validator = extend(
    Draft202012Validator, {"type": _is_type, "enum": _is_one_of, "pattern": _matches}, type_checker=_checker
)


def _shown(value: Any) -> str:
    """A value about as it was written: Python's None is null."""
    return _short(repr(value) if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:190]} ..."
