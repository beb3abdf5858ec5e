import json
import re

import pytest
from checkouts import ROOT, configure, copied, snakemake
from snakemake.cli import parse_args

#: The runs that are planned are made on another machine.
ELSEWHERE = ("--config", "assume_requirements=true")


def test_the_workflow_has_nothing_to_complain_about():
    """Snakemake's own lint."""
    assert "Congratulations" in snakemake("--lint").stderr


def test_the_papers_scale_can_be_planned():
    """Population 45, CIFAR-10, a million steps: every job is known before anything runs, whatever is missing here."""
    plan = snakemake("-n", "all", "--configfile", "config/paper.yaml", *ELSEWHERE).stdout
    assert "python -m reproductions" not in plan or "--scale paper" in plan
    assert plan.count("results/paper/runs/gan/cifar10/pbt/default/seed-4/summary.json") > 0


def test_problems_asked_for_are_planned_instead_of_the_scales(tmp_path):
    """Every method on every one of them, each in a folder of its own."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("experiments: {gan: {problems: [cifar10, fashion_mnist]}}\n")
    plan = snakemake("-n", "gan", "--configfile", str(overlay), *ELSEWHERE).stdout
    for problem in ("cifar10", "fashion_mnist"):
        assert f"results/laptop/runs/gan/{problem}/hand_tuned/default/seed-2/summary.json" in plan


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("scael: laptop", ["scael"]),
        ("scale: huge", ["huge"]),
        ("experiments: {toy: {methods: [pbt], seeds: [-1]}}", ["-1"]),
        ("experiments: {toy: {methods: [magic], seeds: [0]}}", ["magic", "explore_only"]),
        ("experiments: {toy: {methods: ['pbt:fast'], seeds: [0]}}", ["fast"]),
        (
            "experiments: {gan: {problems: [imagenet], methods: [pbt], seeds: [0]}}",
            ["gan.problems", "imagenet", "cifar10"],
        ),
        ("experiments: {gan: {problems: [], methods: [pbt], seeds: [0]}}", ["gan.problems", "[]"]),
        ("demo: {gan: {problems: [imagenet], methods: [pbt], seeds: [0]}}", ["demo.gan.problems", "imagenet"]),
        ("experiments: {mars: {methods: [pbt], seeds: [0]}}", ["mars", "toy"]),
    ],
)
def test_a_wrong_configuration_is_refused_before_anything_is_planned(change, words, tmp_path):
    """One line names the key, the value and the rule; exit code 2."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(change + "\n")
    done = snakemake("-n", "all", "--configfile", str(overlay), check=False)
    assert done.returncode == 2
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("error: config")
    for word in words:
        assert word in line


def test_the_configuration_chooses_engine_and_device_of_runs_that_are_still_to_be_made(tmp_path):
    """By domain, instead of those of the scale; a run that is finished stays."""
    checkout = copied(tmp_path)
    configure(checkout)
    summaries = [f"results/smoke/runs/toy/quadratic/{method}/default/seed-0/summary.json" for method in ("pbt", "grid")]
    snakemake(summaries[0], cwd=checkout)
    snakemake(*summaries, "--config", "execution={toy: {engine: processes}}", cwd=checkout)
    engines = [json.loads((checkout / summary).read_text())["execution"]["engine"] for summary in summaries]
    assert engines == ["serial", "processes"]


def test_verdicts_tables_and_figures_are_made_again_when_what_makes_them_changes(tmp_path):
    """An edited margin is no change of a run; a comment is no change at all; right after a run there is nothing to do."""
    checkout = copied(tmp_path)
    configure(checkout)
    targets = ("results/smoke/claims/claims.csv", "results/smoke/tables/toy", "figures/smoke/toy")
    snakemake(*targets, cwd=checkout)

    def planned():
        done = snakemake(*targets, "-n", "--quiet", "rules", cwd=checkout)
        jobs = re.findall(r"^(run|runs_table|verdicts|table|figure) +\d+$", done.stdout + done.stderr, re.MULTILINE)
        assert jobs or "Nothing to be done" in done.stdout + done.stderr
        return set(jobs)

    def edit(name, old, new):
        path = checkout / "reproductions" / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    assert planned() == set()
    edit("suite/results/statistics.py", "LEVEL = 0.95", "LEVEL = 0.95  # our choice")
    assert planned() == set()
    edit("toy/sweep.py", "margin=0.01", "margin=0.02")
    assert planned() == {"runs_table", "verdicts", "table", "figure"}
    edit("toy/sweep.py", "margin=0.02", "margin=0.01")
    assert planned() == set()
    edit("suite/results/multiplicity.py", "highest = 0.0", "highest = 0.1")
    assert planned() == {"verdicts"}


def test_jobs_of_a_cluster_have_as_many_cores_as_they_ask_for(monkeypatch):
    """Its profile stands in place of that of one machine, which caps them at what the machine has that plans."""
    monkeypatch.chdir(ROOT)
    how = re.search(r"--(workflow-)?profile profiles/slurm", (ROOT / "docs" / "howto" / "cluster.md").read_text())
    _, asked = parse_args(["all", *how[0].split(), "--executor", "local"])
    assert asked.cores is None
    assert (asked.jobs, asked.nolock, asked.rerun_incomplete) == (100, True, True)
    assert {resource.value for resource in asked.resources.values()} == {1}
