"""The configuration, validated, and where things are kept."""

import sys
from pathlib import Path

from snakemake.utils import min_version, validate

min_version("9.0")
validate(config, "../schemas/config.schema.yaml")

# Rules call the package from the checkout, whatever is installed.
sys.path.insert(0, str(Path(workflow.basedir)))
from reproductions import registry
from reproductions.provenance import sources_digest

SCALE = config["scale"]
FULL, DEMO = SCALE, f"{SCALE}-demo"
STUDIES = {FULL: config["domains"], DEMO: config["demo"]}
DOMAINS = list(config["domains"])

for domain, asked in [*config["domains"].items(), *config["demo"].items()]:
    known = registry.sweep(domain).METHODS  # an unknown domain or method ends here, before anything is planned
    for name in asked["methods"]:
        method, colon, variant = name.partition(":")
        if method not in known:
            raise registry.ConfigError(f"domains.{domain}.methods: {method!r} must be one of {list(known)}")
        if colon and variant not in config["variants"]:
            raise registry.ConfigError(f"domains.{domain}.methods: {name!r} needs {variant!r} among {list(config['variants'])}")


wildcard_constraints:
    domain="|".join(registry.domains()),
    study="|".join(STUDIES),
    scale="smoke|laptop|paper",
    method=r"\w+",
    variant=r"[A-Za-z0-9._-]+",
    seed=r"\d+",


def folders(study, domain):
    """The run folders of a domain in a study; a method is a name or NAME:VARIANT, the variant from config["variants"]."""
    asked = STUDIES[study][domain]
    return [
        f"results/{SCALE}/runs/{domain}/{method}/{variant or 'default'}/seed-{seed}"
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
