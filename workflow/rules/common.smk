"""The configuration, validated and complete, and where things are kept."""

import dataclasses
import re
import shlex
from functools import cache
from pathlib import Path

from reproductions.suite.study import configuration, names, registry
from reproductions.suite.study.requested import RequestedRuns, replayed
from reproductions.suite.study.availability import Availability
from reproductions.suite.study.names import RunName
from reproductions.suite.study.sources import results_digest, sources_digest

# Snakemake's own reader takes 010 for 8 and 1e-3 for text.
config.clear()
config.update(CONFIGURED)
checked(configuration.complete, config, Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml")
RESULTS = Path("results")
REQUESTED = checked(RequestedRuns, config)
AVAILABLE = Availability(
    REQUESTED, RESULTS, config["assume_requirements"], finished_only=config.get("runs") == "finished"
)
SCALE = config["scale"]
FULL, DEMO = SCALE, f"{SCALE}-demo"
SECTIONS = dict(zip((FULL, DEMO), names.SECTIONS))
STUDIES = {study: config[section] for study, section in SECTIONS.items()}
# The folder of a run and its log, with their wildcards.
RUN, RUN_LOG = str(RESULTS / names.FOLDER), str(RESULTS / names.LOG)


wildcard_constraints:
    domain="|".join(registry.domains()),
    experiment="|".join({name for section in names.SECTIONS for name in config[section]}),
    study="|".join(STUDIES),
    scale=SCALE,
    problem=names.PATTERNS["problem"],
    method=names.PATTERNS["method"],
    variant="|".join(map(re.escape, [names.DEFAULT, *config["variants"]])),
    seed=names.PATTERNS["seed"],


def named(wildcards):
    """The run that a job of rule ``run`` makes."""
    return checked(RunName.parse, Path(names.FOLDER.format(**wildcards)))


def runs(study, experiment):
    """The runs of an experiment that can be made here, or were made; what cannot is said, once. An error if none can."""
    return checked(AVAILABLE.runs, SECTIONS[study], experiment)


def experiments(study):
    """The experiments of a study of which there are such runs, with their runs."""
    return checked(AVAILABLE.study, SECTIONS[study], tuple(STUDIES[study]))


def all_runs(study):
    """The runs of all experiments of a study, each once: experiments share runs."""
    return list(dict.fromkeys(run for own in experiments(study).values() for run in own))


def in_shell(runs):
    """The folders of runs as quoted words that bash expands, one a method: all of a study's are 116 kB, which nobody reads."""
    seeds = {}
    for run in runs:
        seeds.setdefault(run.folder.parent, []).append(str(run.seed))
    return [
        f"{shlex.quote(str(RESULTS / series))}/seed-{own[0] if len(own) == 1 else '{' + ','.join(own) + '}'}"
        for series, own in seeds.items()
    ]


def summaries(runs):
    return [str(RESULTS / run.folder / "summary.json") for run in runs]


def tables(study):
    return [f"results/{study}/tables/{experiment}" for experiment in experiments(study)]


def figures(study):
    return [f"figures/{study}/{experiment}" for experiment in experiments(study)]


def drawing(study, experiment):
    """What is drawn of an experiment, as quoted words for `figure`."""
    chosen = ["--out", f"figures/{study}/{experiment}", "--only", *STUDIES[study][experiment].get("figures", [])]
    return [*in_shell(runs(study, experiment)), *map(shlex.quote, chosen)]


def of_domain(study, domain):
    """The experiments of a domain of which there are runs."""
    return [name for name in experiments(study) if STUDIES[study][name]["domain"] == domain]


def drawn(study):
    """What is there when all figures of a study are drawn."""
    domains = dict.fromkeys(STUDIES[study][name]["domain"] for name in experiments(study))
    return [f"figures/{study}/.drawn-{domain}" for domain in domains] + [f"figures/{study}/paper"]


def options(name, values):
    """``name VALUE`` for each value, as words for the shell: rules quote every word (``:q``)."""
    return [word for value in values for word in (name, value)]


@cache
def made_from(run):
    """What a run is made anew for when it changes: its settings, and the digest of the sources that can change it."""
    settings = checked(REQUESTED.settings, run)
    search = {key: value for key, value in settings.search.items() if key != "lineage"}  # a file, which Snakemake compares
    size = settings.model_dump(mode="json", exclude={"search", "seed"})
    return {**size, "search": search, "sources": checked(sources_digest, settings.domain, settings.kind)}


@cache
def made_by(*modules):
    """What a table, a figure or a verdict is made anew for beside its runs: the digest of the modules that make it.

    Their names are below ``reproductions``. The sweeps and analyses that they read are among them, since no import shows it.
    """
    return checked(results_digest, tuple(f"reproductions.{module}" for module in modules))


def domain_of(wildcards):
    """The domain of an experiment of a study."""
    return STUDIES[wildcards.study][wildcards.experiment]["domain"]


SWEEPS, ANALYSES = ([f"{domain}.{name}" for domain in registry.domains()] for name in ("sweep", "analysis"))


def changes(wildcards):
    """The settings of a variant as options of the command line, for a run that can be run with them."""
    checked(REQUESTED.settings, named(wildcards))
    return options("--set", REQUESTED.changes(named(wildcards)))


def execution(wildcards):
    """Engine and device of a run as words for the shell. A resource and no parameter: with others finished runs stay."""
    chosen = checked(REQUESTED.execution, wildcards.domain)
    return f"--engine {shlex.quote(chosen.engine)} --device {shlex.quote(chosen.device)}"


def needed(wildcards):
    """The lineage that a replay trains anew; nothing for other methods. An error for a run that cannot be made here."""
    checked(REQUESTED.settings, named(wildcards))
    checked(AVAILABLE.require, named(wildcards))
    source = replayed(named(wildcards))
    return [] if source is None else str(RESULTS / source.folder / "lineage.json")
