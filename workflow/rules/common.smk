"""The configuration, validated and complete, and where things are kept."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# Rules call the package from the checkout, whatever is installed.
sys.path.insert(0, str(Path(workflow.basedir)))
from reproductions import configuration, registry
from reproductions.asked import DEFAULT, overrides
from reproductions.sources import sources_digest

try:
    configuration.complete(
        config,
        Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml",
        map(Path, workflow.configfiles),
    )
    # An edited source that can change a run makes it run again.
    SOURCES = {domain: sources_digest(domain) for domain in registry.domains()}
except registry.ConfigError as error:
    print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(2)  # Snakemake would wrap an exception in lines of its own

SCALE = config["scale"]
FULL, DEMO = SCALE, f"{SCALE}-demo"
STUDIES = {FULL: config["experiments"], DEMO: config["demo"]}
EXPERIMENTS = list(config["experiments"])


wildcard_constraints:
    domain="|".join(registry.domains()),
    experiment="|".join({*config["experiments"], *config["demo"]}),
    study="|".join(STUDIES),
    scale="smoke|laptop|paper",
    problem=r"\w+",
    method=r"\w+",
    variant=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    seed=r"\d+",


def folders(study, experiment):
    """The run folders of an experiment; a method is a name or NAME:VARIANT, the variant from config["variants"]."""
    asked = STUDIES[study][experiment]
    return [
        f"results/{SCALE}/runs/{asked['domain']}/{problem}/{method}/{variant or DEFAULT}/seed-{seed}"
        for problem in asked["problems"]
        for method, _, variant in (name.partition(":") for name in asked["methods"])
        for seed in asked["seeds"]
    ]


def all_folders(study):
    """The run folders of all experiments of a study, each once: experiments share runs."""
    return list(dict.fromkeys(folder for experiment in STUDIES[study] for folder in folders(study, experiment)))


def summaries(study, experiment):
    return [f"{folder}/summary.json" for folder in folders(study, experiment)]


def products(study, kind):
    return [f"results/{study}/{kind}/{experiment}" for experiment in STUDIES[study]]


def options(name, values):
    """``name VALUE`` for each value, as words for the shell: rules quote every word (``:q``)."""
    return [word for value in values for word in (name, value)]


def changes(wildcards):
    """The settings of a variant as options of the command line."""
    settings = config["variants"].get(wildcards.variant, {}) if wildcards.variant != DEFAULT else {}
    return options("--set", overrides(settings))


def replayed(wildcards):
    """The lineage that a replay trains anew: that of PBT with the same seed; nothing for other methods."""
    if wildcards.method != "replay":
        return []
    return "results/{scale}/runs/{domain}/{problem}/pbt/default/seed-{seed}/lineage.json".format(**wildcards)
