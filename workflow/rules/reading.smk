"""The configuration's files, read before Snakemake reads them, and the one line for whatever is refused."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# `python` in rules is the one that runs Snakemake, also where its environment is not activated.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
# Rules call the package from the checkout, whatever is installed.
sys.path.insert(0, str(Path(workflow.basedir)))
from reproductions.suite.running.clusters import read_cluster
from reproductions.suite.study import configuration, registry


def checked(check, *arguments):
    """What ``check`` returns; where it refuses, its line and the end: Snakemake would wrap an exception in lines of its own."""
    try:
        return check(*arguments)
    except registry.ConfigError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(2)


def cluster_of_config(name):
    """The cluster of this name; ConfigError says which there are."""
    folder = Path("config", "clusters")
    if name not in (there := sorted(file.stem for file in folder.glob("*.yaml"))):
        raise registry.ConfigError(f"config.stragglers.clusters: {name!r} must be one of {there}, the files in {folder}")
    return read_cluster(folder / f"{name}.yaml")


def configured(base):
    """The configuration: ``base``, over it the files of ``--configfile``, over them ``--config``."""
    said = workflow.config_settings
    instead = said.configfiles and (said.replace_workflow_config or not os.path.lexists(base))
    files = [*([] if instead else [base]), *said.configfiles]
    return checked(configuration.overlaid, map(Path, files), said.config_args or ())


CONFIG_FILE = "config/config.yaml"
CONFIGURED = configured(CONFIG_FILE)
