"""Copies of what the workflow needs, so that tests leave the real results alone, and commands in them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from waiting import LONG

ROOT = Path(__file__).parent.parent.parent


def copied(folder):
    """The workflow, its configuration and the sources in ``folder``; returns that."""
    for name in ("Snakefile", "environment.yml", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    for name in ("workflow", "config", "profiles", "reproductions", "baselines", "pbt_core"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def command(*arguments, cwd, check=True):
    """``python -m ARGUMENTS`` in a copy, with its own sources, as from an environment that is not activated."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PATH": os.defpath, "PYTHONPATH": str(cwd)},
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def snakemake(*arguments, cwd=ROOT, check=True):
    return command("snakemake", *arguments, cwd=cwd, check=check)


def configure(folder, methods=("pbt", "grid"), seeds=(0,), variants=None, **more):
    """A configuration of one small experiment at smoke scale, instead of the repository's."""
    toy = {"methods": list(methods), "seeds": list(seeds), **more}
    config = {"scale": "smoke", "experiments": {"toy": toy}, "demo": {"toy": toy}}
    config |= {"variants": variants or {}}
    (folder / "config" / "config.yaml").write_text(json.dumps(config))
