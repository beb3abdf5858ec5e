"""The Makefile, with stand-ins for what it calls: what a user sets and where the checkout lies reach no shell as commands."""

import os
import shutil
import subprocess

import pytest
from checkouts import ROOT

ODD = "it's $(touch pwned) `touch pwned` ; touch pwned #"


@pytest.fixture
def folder(tmp_path):
    """A folder with an odd name, the Makefile, and a snakemake that tells how it was called."""
    folder = tmp_path / "a 'b' $(touch pwned)"
    (folder / ".venv" / "bin").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / ".installed").touch()
    stand_in = folder / ".venv" / "bin" / "snakemake"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "cache=$XDG_CACHE_HOME" "path=$PYTHONPATH"\n')
    stand_in.chmod(0o755)
    return folder


def make(folder, *arguments, **environment):
    kept = {
        name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "MAKEFLAGS", "MAKELEVEL")
    }
    done = subprocess.run(["make", *arguments], cwd=folder, env={**kept, **environment}, capture_output=True, text=True)
    assert not list(folder.parent.rglob("pwned"))
    return done


@pytest.mark.parametrize("target", ["demo", ODD, "a b", "$$", "{x}"])
def test_the_target_of_a_report_is_one_word_whatever_is_in_it(folder, target):
    """From the command line and from the environment."""
    for done in (make(folder, "report", f"TARGET={target}"), make(folder, "report", TARGET=target)):
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[:2] == [target, "--report"]
        assert f"path={folder}:{folder}/workflow/plugins" in done.stdout.splitlines()


def test_a_python_that_is_none_is_one_line_with_its_name(folder):
    """Quoted, so that a path with spaces is one word."""
    (folder / ".venv" / ".installed").unlink()
    done = make(folder, "venv", f"PYTHON={ODD}")
    assert done.returncode == 2
    assert f"error: Python 3.11 or newer is needed; {ODD} is" in done.stdout + done.stderr


def test_snakemakes_cache_is_kept_here_where_home_cannot_be_written(folder):
    """And only there: other tools keep weights in the cache too."""
    cache = f"cache={folder}/.snakemake/cache"
    assert cache in make(folder, "report", HOME="/proc/none").stdout.splitlines()
    assert "cache=" in make(folder, "report", HOME=str(folder)).stdout.splitlines()
    assert (
        "cache=/proc/mine" in make(folder, "report", HOME="/proc/none", XDG_CACHE_HOME="/proc/mine").stdout.splitlines()
    )
