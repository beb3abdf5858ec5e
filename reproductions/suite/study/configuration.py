"""The workflow's configuration, made complete and checked before anything is planned: its files, its schema, its names.

Whether its runs can be run is for ``reproductions.suite.study.requested``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, TypeChecker, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from reproductions.suite.study import registry
from reproductions.suite.study.names import DEFAULT, parse_method
from reproductions.suite.study.registry import ConfigError

#: Names of the workflow's own rules and folders.
TARGETS = (
    *("all", "claims", "demo", "figure", "figures", "paper", "paper_figures", "run", "runs_table"),
    *("simulated_run", "stragglers"),
    *("table", "tables", "track", "tracking", "verdicts"),
)
_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "text (in quotes)",
    "integer": "a whole number",
    "boolean": "true or false",
}


def complete(config: dict[str, Any], schema: Path, files: Iterable[Path] = ()) -> None:
    """Fill in defaults: an experiment's domain is its name, its problems are those of the scale.

    ``files`` are those that ``config`` was read from. Raises ConfigError, with the key, the value and the rule in one line,
    unless ``config`` is valid.
    """
    for path in files:
        read(path)
    if (assumed := config.get("assume_requirements")) in (
        "true",
        "false",
    ):  # Snakemake's --config knows True and False alone
        config["assume_requirements"] = assumed == "true"
    _check_plain(config, "config")
    error = best_match(_Validator(yaml.safe_load(schema.read_text(encoding="utf-8"))).iter_errors(config))
    if error is not None:
        raise ConfigError(f"{'.'.join(['config', *map(str, error.absolute_path)])}: {_short(error.message)}")
    config.setdefault("assume_requirements", False)
    for domain in config.setdefault("threads", {}):
        _check_one_of("config.threads", domain, registry.domains())
    if (simulated := config.get("stragglers")) is not None:
        _check_one_of("config.stragglers.domain", simulated["domain"], registry.domains())
        _check_one_of("config.stragglers.method", simulated["method"], registry.sweep(simulated["domain"]).METHODS)
    for section in ("experiments", "demo"):
        for name, experiment in config[section].items():
            _complete(f"config.{section}.{name}", name, experiment, config)


def _complete(key: str, name: str, experiment: dict[str, Any], config: Mapping[str, Any]) -> None:
    if name in TARGETS:
        raise ConfigError(f"{key}: {name!r} is another target's name; it must be none of {list(TARGETS)}")
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


def read(path: Path) -> dict[str, Any]:
    """A file of the configuration. ConfigError if it cannot be read, is no mapping, or has a key twice."""
    try:
        content = _OnceLoader(path.read_text(encoding="utf-8")).get_single_data()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from None
    except (yaml.YAMLError, ValueError) as error:  # such as a number of more digits than Python reads
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: it must be a mapping of keys to values, not {_shown(content)}")
    return content


class _OnceLoader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Refuses a key that stands twice in one mapping, of which YAML would silently take the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in seen:
                raise yaml.YAMLError(f"the key {key.value!r} stands twice, again in line {key.start_mark.line + 1}")
            seen.add((key.tag, key.value) if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)


def _check_plain(value: Any, key: str) -> None:
    """ConfigError unless ``value`` can be JSON, with text for keys."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"{key}: the key {_shown(name)} must be text: put it in quotes")
            _check_plain(item, f"{key}.{name}")
    elif isinstance(value, list):
        for place, item in enumerate(value):
            _check_plain(item, f"{key}.{place}")
    elif not isinstance(value, str | int | float | None):
        raise ConfigError(
            f"{key}: {value!s} must be a number, text (in quotes), true, false, null, a list or a mapping"
        )


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
