"""The configuration, validated and complete, and where things are kept."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# Rules call the package from the checkout, whatever is installed.
sys.path.insert(0, str(Path(workflow.basedir)))
from reproductions import configuration, registry
from reproductions.provenance import sources_digest

try:
    configuration.complete(config, Path(workflow.basedir) / "workflow" / "schemas" / "config.schema.yaml")
except registry.ConfigError as error:
    print(f"error: {error}", file=sys.stderr, flush=True)
    os._exit(2)  # Snakemake would wrap an exception in lines of its own

SCALE = config["scale"]
FULL, DEMO = SCALE, f"{SCALE}-demo"
STUDIES = {FULL: config["domains"], DEMO: config["demo"]}
DOMAINS = list(config["domains"])


wildcard_constraints:
    domain="|".join(registry.domains()),
    study="|".join(STUDIES),
    scale="smoke|laptop|paper",
    problem=r"\w+",
    method=r"\w+",
    variant=r"[A-Za-z0-9._-]+",
    seed=r"\d+",


def folders(study, domain):
    """The run folders of a domain in a study; a method is a name or NAME:VARIANT, the variant from config["variants"]."""
    asked = STUDIES[study][domain]
    return [
        f"results/{SCALE}/runs/{domain}/{problem}/{method}/{variant or 'default'}/seed-{seed}"
        for problem in asked["problems"]
        for method, _, variant in (name.partition(":") for name in asked["methods"])
        for seed in asked["seeds"]
    ]


def summaries(study, domain):
    return [f"{folder}/summary.json" for folder in folders(study, domain)]


def products(study, kind):
    return [f"results/{study}/{kind}/{domain}" for domain in STUDIES[study]]


def overrides(wildcards):
    """The settings of a variant as options of the command line."""
    settings = config["variants"].get(wildcards.variant, {}) if wildcards.variant != "default" else {}
    return " ".join(f"--set '{key}={value}'" for key, value in settings.items())
