"""The configuration, validated and complete, and where things are kept."""

import os
import re
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# Rules call the package from the checkout, whatever is installed.
sys.path.insert(0, str(Path(workflow.basedir)))
from reproductions.suite.study import configuration, registry
from reproductions.suite.study.asked import DEFAULT, Asked, overrides
from reproductions.suite.study.sources import sources_digest


def checked(check, *arguments):
    """What ``check`` returns; where it refuses, its line and the end: Snakemake would wrap an exception in lines of its own."""
    try:
        return check(*arguments)
    except registry.ConfigError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(2)


checked(
    configuration.complete,
    config,
    Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml",
    map(Path, workflow.configfiles),
)
ASKED = Asked(config)
# An edited source that can change a run makes it run again.
SOURCES = {domain: checked(sources_digest, domain) for domain in registry.domains()}

SCALE = config["scale"]
FULL, DEMO = SCALE, f"{SCALE}-demo"
SECTIONS = {FULL: "experiments", DEMO: "demo"}
STUDIES = {study: config[section] for study, section in SECTIONS.items()}
EXPERIMENTS = list(config["experiments"])


wildcard_constraints:
    domain="|".join(registry.domains()),
    experiment="|".join({*config["experiments"], *config["demo"]}),
    study="|".join(STUDIES),
    scale=SCALE,
    problem=r"\w+",
    method=r"\w+",
    variant="|".join(map(re.escape, [DEFAULT, *config["variants"]])),
    seed=r"[0-9]+",


def folders(study, experiment):
    """The run folders of an experiment; a method is a name or NAME:VARIANT, the variant from config["variants"]."""
    checked(ASKED.check, SECTIONS[study], experiment)
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
    """The settings of a variant as options of the command line, for a run that can be run with them."""
    checked(ASKED.settings, wildcards.domain, wildcards.problem, wildcards.method, wildcards.variant)
    settings = config["variants"].get(wildcards.variant, {}) if wildcards.variant != DEFAULT else {}
    return options("--set", overrides(settings))


def replayed(wildcards):
    """The lineage that a replay trains anew: that of PBT with the same seed; nothing for other methods."""
    if wildcards.method != "replay":
        return []
    return "results/{scale}/runs/{domain}/{problem}/pbt/default/seed-{seed}/lineage.json".format(**wildcards)
