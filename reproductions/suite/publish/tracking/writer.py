"""Write finished runs to a store: seeds with their members first, then the means of methods, then the views."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlflow import MlflowClient

from reproductions.suite.publish.tracking import methods, names, seeds, views
from reproductions.suite.publish.tracking.client import by_key, delete, experiment, is_current, opened, runs
from reproductions.suite.results.records import Record
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sweep import Measure


def track(records: Sequence[Record], store: Path) -> dict[str, list[str]]:
    """Write runs to the store in a folder; by domain, the keys of those that were new or had changed."""
    domains = sorted({record.summary["domain"] for record in records})
    with opened(store) as client:
        return {
            domain: _track(client, store, domain, [record for record in records if record.summary["domain"] == domain])
            for domain in domains
        }


def _track(client: MlflowClient, store: Path, domain: str, records: Sequence[Record]) -> list[str]:
    number = experiment(client, domain, store)
    # Runs of former layouts too, which had other kinds.
    written_before = by_key(runs(client, number, "tags.kind != 'member' and tags.kind != 'method'"))
    written = []
    for record in records:
        key = names.key(tags := names.identity(record, "seed"))
        former = written_before.get(key, [])
        if not (is_current(former, seeds.digest(record), tags) and names.is_named(former[0], names.SEED)):
            for run in former:
                delete(client, number, run)
            seeds.write(client, number, record)
            written.append(key)
    methods.summarise(client, number)
    views.write(client, number, _views(domain, records))
    return written


def _views(domain: str, records: Sequence[Record]) -> list[views.View]:
    problems = dict.fromkeys((record.summary["scale"], record.problem) for record in records)
    charts = [views.charts(scale, problem, _measure(domain)) for scale, problem in problems]
    return [views.table(), views.everything(), *charts]


def _measure(domain: str) -> Measure | None:
    try:
        measure: Measure = registry.sweep(domain).MEASURE
    except ConfigError:  # a domain that the suite no longer has
        return None
    return measure
