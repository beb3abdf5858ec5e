"""The workflow's configuration, checked before anything is planned: against its schema, and against what the domains have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from reproductions import registry
from reproductions.registry import ConfigError


def check(config: dict[str, Any], schema: Path) -> None:
    """Raise ConfigError, with the key, the value and the rule in one line, unless ``config`` can be run as it stands."""
    error = best_match(Draft202012Validator(yaml.safe_load(schema.read_text())).iter_errors(config))
    if error is not None:
        key = ".".join(str(part) for part in error.absolute_path)
        raise ConfigError(f"config{'.' if key else ''}{key}: {error.message}")
    for section in ("domains", "demo"):
        for domain, asked in config[section].items():
            for name in asked["methods"]:
                _check_method(f"config.{section}.{domain}.methods", domain, name, config["variants"])


def _check_method(key: str, domain: str, name: str, variants: dict[str, Any]) -> None:
    if domain not in registry.domains():
        raise ConfigError(f"{key}: domain {domain!r} must be one of {registry.domains()}")
    method, colon, variant = name.partition(":")
    known = list(registry.sweep(domain).METHODS)
    if method not in known:
        raise ConfigError(f"{key}: {method!r} must be one of {known}")
    if colon and variant not in variants:
        raise ConfigError(f"{key}: the variant in {name!r} must be one of {list(variants)}")
