"""What Snakemake makes of a configuration: one line for a wrong one, and words that reach commands as they are."""

import shlex
import shutil
from pathlib import Path

import pytest
from checkouts import ROOT, command, configure, copied, snakemake

from reproductions.suite.study import requested


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a $(touch pwned) 'b'") / "suite"
    folder.mkdir()
    return copied(folder)


def test_a_snakemake_that_refuses_says_one_line_and_starts_nothing(checkout):
    """Exit code 2; the line is the last, after Snakemake's own about how it would run."""
    for changes in ({"variants": {"v": {"search.ready": 0}}}, {"figures": ["scores; touch x #"]}, {"figures": ["scors"]},
                    {"figures": ["population"]}, {"seeds": [True]}):  # fmt: skip
        configure(checkout, **{"methods": ["pbt", "pbt:v"] if "variants" in changes else ["pbt"], **changes})
        done = snakemake("toy", cwd=checkout, check=False)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].startswith("error: config.")
        assert "Traceback" not in done.stderr
        assert not (checkout / "results").exists()


def test_an_experiment_that_is_not_asked_for_need_not_fit_the_scale(checkout):
    """An overlay may choose another scale for one experiment; the others are refused when they are asked for."""
    shutil.copy(ROOT / "config" / "config.yaml", checkout / "config" / "config.yaml")
    (checkout / "mine.yaml").write_text("scale: smoke\n")
    snakemake("-n", "toy", "--configfile", "mine.yaml", cwd=checkout)
    done = snakemake("-n", "all", "--configfile", "mine.yaml", cwd=checkout, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: config.experiments.")


def test_a_key_that_stands_twice_in_a_file_is_refused_by_snakemake_too(checkout):
    """Of two variants of one name the last would win silently."""
    configure(checkout)
    (checkout / "twice.yaml").write_text("variants:\n  a: {steps: 20}\n  a: {steps: 40}\n")
    done = snakemake("-n", "toy", "--configfile", "twice.yaml", cwd=checkout, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("twice.yaml: variants: the key 'a' stands twice, again in line 3")


def test_every_word_of_a_rule_reaches_its_command_as_it_is(checkout):
    """Quotes, braces, dollars and line feeds in a setting; a stand-in for Python writes down what it was called with."""
    odd = 'it\'s $(touch pwned) `touch pwned` {wildcards.seed} "x" ; touch pwned #\n* ü'
    configure(
        checkout, ["pbt", "pbt:odd"], variants={"odd": {"task.data": odd, "population": 4}}, domain="classifier",
        figures=["scores", "best_so_far"], question=odd,
    )  # fmt: skip
    stand_in = checkout / "bin" / "python"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> {shlex.quote(str(checkout / "called"))}\nexit 1\n')
    stand_in.chmod(0o755)
    target = "results/smoke/runs/classifier/fashion_mnist/pbt/odd/seed-0/summary.json"
    runner = "import sys; from snakemake.cli import main; sys.executable = sys.argv.pop(1); main()"
    (checkout / "runner.py").write_text(runner)
    done = command("runner", stand_in, target, "--cores", "1", cwd=checkout, check=False)
    assert (checkout / "called").exists(), done.stderr
    words = (checkout / "called").read_text().split("\0")
    assert set(requested.overrides({"task.data": odd})) < set(words)
    assert words[words.index("--out") + 1] == str(Path(target).parent)
    assert not list(checkout.rglob("pwned"))
    assert not (Path.cwd() / "pwned").exists()


def test_every_value_in_a_command_of_the_workflow_is_quoted():
    """By Snakemake, or where it is made: words that bash is to expand. All but the number of threads, which Snakemake makes."""
    made = (ROOT / "workflow" / "rules" / "common.smk").read_text()
    quoted = {"params.folders": "in_shell", "params.drawing": "drawing", "params.drawings": "drawing"}
    quoted |= {"resources.execution": "execution"}
    for function in set(quoted.values()):
        assert "shlex.quote" in made.split(f"def {function}(")[1].split("\n\n\n")[0]
    for path in (ROOT / "workflow" / "rules").glob("*.smk"):
        for part in path.read_text().split("    shell:\n")[1:]:
            commands = part.split("\n\n")[0]
            fields = [field.split("}")[0] for field in commands.split("{")[1:]]
            assert fields
            assert {field for field in fields if not field.endswith(":q")} <= {"threads", *quoted}, path
