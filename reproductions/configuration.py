"""The workflow's configuration, made complete before anything is planned and checked: against its schema and the domains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reproductions import registry
from reproductions.registry import ConfigError

#: Names of the workflow's own rules.
TARGETS = (
    *("all", "claims", "demo", "figure", "figures", "paper", "paper_figures", "run", "runs_table"),
    *("table", "tables", "track", "tracking", "verdicts"),
)


def complete(config: dict[str, Any], schema: Path) -> None:
    """Fill in the domain of experiments that name none, which is their own name, and the problems: those of the scale.

    Raises ConfigError, with the key, the value and the rule in one line, unless ``config`` can then be run.
    """
    error = best_match(Draft202012Validator(yaml.safe_load(schema.read_text())).iter_errors(config))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path)
        raise ConfigError(f"config{'.' if key else ''}{key}: {error.message}")
    for section in ("experiments", "demo"):
        for name, asked in config[section].items():
            key, domain = f"config.{section}.{name}", asked.setdefault("domain", name)
            if name in TARGETS:
                raise ConfigError(f"{key}: {name!r} is another target's name; it must be none of {list(TARGETS)}")
            if domain not in registry.domains():
                raise ConfigError(f"{key}: domain {domain!r} must be one of {registry.domains()}")
            sweep = registry.sweep(domain)
            for problem in asked.setdefault("problems", list(sweep.SCALES[config["scale"]].problems)):
                if problem not in sweep.PROBLEMS:
                    raise ConfigError(f"{key}.problems: {problem!r} must be one of {list(sweep.PROBLEMS)}")
            for method in asked["methods"]:
                _check_method(f"{key}.methods", method, [*sweep.METHODS, "replay"], config["variants"])


def _check_method(key: str, name: str, known: list[str], variants: dict[str, Any]) -> None:
    method, colon, variant = name.partition(":")
    if method not in known:
        raise ConfigError(f"{key}: {method!r} must be one of {known}")
    if colon and variant not in variants:
        raise ConfigError(f"{key}: the variant in {name!r} must be one of {list(variants)}")
