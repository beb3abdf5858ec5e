"""Simulated runs in the suite: the file of a cluster, virtual seconds in summaries, forecasts, and what waiting costs."""

import json
import logging

import pandas as pd
import pytest
from checkouts import ROOT, snakemake

from pbt_core import Cluster, IntervalTimes, Preemption, RandomPreemptions, Simulated
from reproductions.suite.cli import main
from reproductions.suite.figures.look import STYLE, matplotlib
from reproductions.suite.figures.stragglers import stragglers
from reproductions.suite.planning.costs import Cost, past_costs
from reproductions.suite.planning.forecast import Line
from reproductions.suite.planning.simulation import forecast, run_seconds, table
from reproductions.suite.results import stragglers as comparison
from reproductions.suite.results.records import load
from reproductions.suite.running.clusters import read_cluster
from reproductions.suite.running.execution import resolve_execution
from reproductions.suite.study import registry
from reproductions.suite.study.names import RunName
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import resolve

SETTINGS = resolve("toy", "pbt", overrides=["population=4", "steps=40", "interval=4", "search.ready=4"])


def cluster(tmp_path, text):
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    return read_cluster(path)


def ran(tmp_path, name, *options, seed=0, stragglers=0.2):
    """The folder of a simulated run of the toy, on a worker a member."""
    (tmp_path / "c.yaml").write_text(f"workers: 4\nper_step: 0.25\nstragglers: {stragglers}\n")
    size = ("--set", "population=4", "--set", "steps=40", "--set", "interval=4", "--set", "search.ready=4")
    simulated = ("--engine", "simulated", "--cluster", str(tmp_path / "c.yaml"), "--variant", name, "--seed", str(seed))
    out = tmp_path / f"{name}-{seed}"
    assert main(["run", "toy", "pbt", *size, *simulated, *options, "--quiet", "--out", str(out)]) == 0
    return out


# -- the file ----------------------------------------------------------------------------------------------------------


def test_a_file_describes_a_cluster(tmp_path):
    """Every key of it reaches the engine."""
    described = cluster(
        tmp_path,
        "speeds: [1, 0.5]\nper_step: 2\nper_interval: 3\nspread: 0.1\nstragglers: 0.2\nslowdown: 4\nseed: 7\n"
        "preemptions: [{worker: 1, at: 5, away: 6}, {worker: 0, at: 9}]\n",
    )
    losses = (Preemption(1, 5.0, 6.0), Preemption(0, 9.0))
    assert described.cluster(1.0) == Cluster((1.0, 0.5), IntervalTimes(2.0, 3.0, 0.1, 0.2, 4.0), losses, 7)
    random = cluster(tmp_path, "workers: 2\npreemptions: {every: 100, away: 5}\n")
    assert random.cluster(0.5) == Cluster((1.0, 1.0), IntervalTimes(0.5), RandomPreemptions(100.0, 5.0))


def test_a_part_of_a_cluster_has_its_own_workers_and_their_losses(tmp_path):
    """Numbered from 0."""
    described = cluster(tmp_path, "speeds: [1, 2, 3, 4]\npreemptions: [{worker: 0, at: 1}, {worker: 3, at: 2}]\n")
    assert described.cluster(1.0, range(2, 4)) == Cluster((3.0, 4.0), preemptions=(Preemption(1, 2.0),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("per_step: 1", "workers or speeds must be given, and not both"),
        ("workers: 2\nspeeds: [1]", "workers or speeds must be given, and not both"),
        ("workers: 0", "workers = 0: "),
        ("workers: true", "workers = True: "),
        ("speeds: [1, -1]", "speeds.1 = -1"),
        ("workers: 2\nstraglers: 0.1", "straglers: no such key"),
        ("workers: 2\nstragglers: 2", "stragglers = 2: "),
        ("workers: 2\npreemptions: [{worker: 2, at: 1}]", "worker = 2 must be one of 2 workers"),
        ("[1, 2]", "it must be a mapping"),
    ],
)
def test_a_file_that_describes_none_is_one_line_with_file_key_and_rule(text, words, tmp_path):
    """Before any work."""
    with pytest.raises(ConfigError) as caught:
        cluster(tmp_path, text)
    assert words in str(caught.value)
    assert "cluster.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_clusters_of_the_repository_can_be_read():
    """Those that the configuration names."""
    files = sorted((ROOT / "config" / "clusters").glob("*.yaml"))
    assert {"none", "few", "many"} <= {path.stem for path in files}
    for path in files:
        assert read_cluster(path).per_step


# -- runs --------------------------------------------------------------------------------------------------------------


def test_the_engine_is_made_as_the_execution_says(tmp_path):
    """Its workers are the cluster's, whatever the scale declares."""
    described = cluster(tmp_path, "workers: 3\nper_step: 1\n")
    execution = resolve_execution("toy", "laptop", engine="simulated", cluster=described, staleness=2)
    assert execution.workers == 3
    assert execution.build_engine(()) == Simulated(Cluster.of(3), staleness=2)


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"engine": "simulated"}, "engine = 'simulated' needs cluster"),
        ({"engine": "simulated", "cluster": "workers: 2"}, "cluster.per_step is required"),
        ({"engine": "serial", "cluster": "workers: 2\nper_step: 1"}, "cluster needs engine = 'simulated'"),
        ({"engine": "processes", "staleness": 2}, "staleness needs engine = 'simulated'"),
        ({"engine": "simulated", "cluster": "workers: 2\nper_step: 1", "workers": 3}, "workers = 3: those of"),
        (
            {"engine": "simulated", "cluster": "workers: 2\nper_step: 1", "timeout": 3.0},
            "timeout = 3.0 needs an engine of",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(chosen, words, tmp_path):
    """With the key and the rule."""
    chosen = {key: cluster(tmp_path, value) if key == "cluster" else value for key, value in chosen.items()}
    with pytest.raises(ConfigError, match=words):
        resolve_execution("toy", "laptop", **chosen)


def test_members_that_wait_for_each_other_have_no_staleness(tmp_path):
    """One option says that they wait, the other how little."""
    described = cluster(tmp_path, "workers: 3\nper_step: 1\n")
    execution = resolve_execution("toy", "laptop", engine="simulated", cluster=described, staleness=2)
    with pytest.raises(ConfigError, match="staleness = 2 needs --no-sync"):
        execution.check(resolve("toy", "pbt", synchronous=True))


def test_the_seconds_of_a_simulated_run_are_the_clusters(tmp_path):
    """Ten rounds of one second without stragglers; how it was carried out is in the summary, and it is a valid run."""
    out = ran(tmp_path, "calm", "--sync", stragglers=0)
    (record,) = load([out])
    assert record.summary["wall_s"] == 10.0
    assert record.summary["train_s"] == 40.0
    assert record.summary["execution"]["engine"] == "simulated"
    assert record.summary["execution"]["cluster"]["workers"] == 4


def test_virtual_seconds_are_no_experience_of_this_machine(tmp_path):
    """A forecast does not believe them."""
    folder = tmp_path / "laptop" / "runs" / "toy" / "quadratic" / "pbt" / "calm"
    folder.mkdir(parents=True)
    ran(tmp_path, "calm").rename(folder / "seed-0")
    assert past_costs(tmp_path, "laptop").sources["here"] == []


# -- forecasts ---------------------------------------------------------------------------------------------------------


def test_the_time_of_a_run_on_other_workers_is_simulated(tmp_path):
    """Four members of 40 steps on two workers, one twice as fast: 160 s of work at speed 3, in intervals of 4 steps."""
    described = cluster(tmp_path, "speeds: [1, 2]\nper_step: 1\n")
    asynchronous = SETTINGS.model_copy(update={"synchronous": False})
    assert run_seconds(asynchronous, described, range(2), 9.0) == pytest.approx(160 / 3, abs=4)
    assert run_seconds(SETTINGS, described, range(1), 9.0) == 160.0


@pytest.mark.parametrize(
    ("workers", "runs", "expected"),
    [
        (4, 1, (4, 1, 40.0, 40.0)),
        (4, 3, (4, 1, 40.0, 120.0)),
        (9, 3, (4, 2, 40.0, 80.0)),  # two at once, one worker has nothing to do
        (2, 1, (2, 1, 80.0, 80.0)),
        (100, 3, (4, 3, 40.0, 40.0)),
    ],
)
def test_runs_share_a_cluster(workers, runs, expected, tmp_path):
    """As many at once as there is room for; a step costs what runs have cost if the file does not say."""
    synchronous = SETTINGS.model_copy(update={"synchronous": True})
    made = forecast(synchronous, cluster(tmp_path, f"workers: {workers}"), runs, Cost(160.0, 160.0, "here"))
    assert (made.workers, made.at_once, made.run_s, made.all_s) == expected
    assert forecast(synchronous, cluster(tmp_path, f"workers: {workers}"), runs, None) is None


def test_a_forecast_has_a_row_a_method_and_says_what_is_unknown(tmp_path):
    """Runs that are done take no time; what the core says afterwards is heard as before."""
    name = RunName("laptop", "toy", "quadratic", "pbt", "default", 0)
    cost = Cost(3600.0, 3600.0, "here")
    lines = [
        Line(name, 0, (cost, cost), {"missing": 2}),
        Line(name, 5, (), {}),
        Line(RunName("laptop", "toy", "quadratic", "replay", "default", 0), 0, (None,), {"missing": 1}),
    ]

    def settings_of(run):
        return None if run.method == "replay" else SETTINGS

    text = table(lines, settings_of, cluster(tmp_path, "workers: 8"))
    rows = [line.split() for line in text.splitlines()]
    assert rows[1] == ["toy", "quadratic", "pbt", "2", "4", "2", "0.25", "0.25"]
    assert rows[2] == ["toy", "quadratic", "replay", "1", "unknown", "unknown"]
    assert rows[3] == ["total", ">0.25"]
    assert "unknown: 1 of the runs" in text
    assert logging.getLogger("pbt_core").isEnabledFor(logging.WARNING)


# -- what waiting costs ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Two seeds of the three modes."""
    folder = tmp_path_factory.mktemp("compared")
    modes = {"rounds": ("--sync",), "free": ("--no-sync",), "bounded": ("--no-sync", "--staleness", "1")}
    return [ran(folder, name, *how, seed=seed) for seed in (0, 1) for name, how in modes.items()]


def test_runs_are_compared_with_the_synchronous_one_of_their_seed(compared):
    """Waiting for nobody is never slower; scores are differences within a seed."""
    frame = comparison.runs(load(compared))
    assert set(frame["mode"]) == {"synchronous", "asynchronous", "at most 1 ahead"}
    wide = frame.pivot_table(index="seed", columns="mode", values=["wall_s", "score", "difference"])
    assert (wide["wall_s", "asynchronous"] < wide["wall_s", "synchronous"]).all()
    assert (wide["wall_s", "asynchronous"] <= wide["wall_s", "at most 1 ahead"]).all()
    gained = wide["score", "asynchronous"] - wide["score", "synchronous"]
    assert list(wide["difference", "asynchronous"]) == list(gained)
    assert list(wide["difference", "synchronous"]) == [0.0, 0.0]
    means = comparison.table(frame).set_index("mode")
    assert means.loc["asynchronous", "wall_s"] == frame[frame["mode"] == "asynchronous"].wall_s.mean()
    assert (means.seeds == 2).all()


def test_the_command_writes_table_runs_and_figure(compared, tmp_path, capsys):
    """And names them."""
    assert main(["stragglers", *map(str, compared), "--out", str(tmp_path / "out")]) == 0
    names = {"runs.csv", "stragglers.csv", "stragglers.svg", "stragglers.png"}
    assert {line.rpartition("/")[2] for line in capsys.readouterr().out.split()} == names
    assert {path.name for path in (tmp_path / "out").iterdir()} == names


def test_the_figure_has_a_colour_a_mode_and_no_difference_of_rounds_to_themselves():
    """Every seed is a dot on the left; on the right the synchronous runs are the line at zero."""
    measured = {"slowdown": 10.0, "wall_s": 9.0, "score": 1.0, "difference": 0.1}
    rows = [
        {"stragglers": share, "mode": mode, "seed": seed, **measured}
        for share in (0.0, 0.1)
        for mode in ("synchronous", "asynchronous")
        for seed in range(3)
    ]
    with matplotlib.rc_context(STYLE):
        figure = stragglers(pd.DataFrame(rows), "pbt", "quadratic", registry.sweep("toy").MEASURE)
    left, right = figure.axes
    dots = [[len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"] for ax in (left, right)]
    assert [count for count in dots[0] if count] == [3] * 4
    assert [count for count in dots[1] if count] == [3] * 2
    assert [label.get_text() for label in left.get_xticklabels()] == ["no stragglers", "10% take\n10 times as long"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["synchronous", "asynchronous"]


def test_the_workflow_simulates_every_mode_on_every_cluster_with_every_seed(tmp_path):
    """And draws from all of them; a cluster that no file describes is one line, before anything is planned."""
    overlay = tmp_path / "overlay.yaml"
    wanted = "domain: toy, method: pbt, clusters: [none, many], staleness: [1, 3], seeds: [4, 5]"
    overlay.write_text(f"scale: smoke\nstragglers: {{{wanted}}}\n")
    plan = snakemake("-n", "stragglers", "--configfile", str(overlay)).stdout
    for cluster in ("none", "many"):
        for mode in ("synchronous", "asynchronous", "staleness-1", "staleness-3"):
            assert f"results/smoke/simulated/{cluster}/{mode}/seed-5/summary.json" in plan
    assert plan.count("rule simulated_run:") == 16
    overlay.write_text(f"stragglers: {{{wanted.replace('many', 'crowded')}}}\n")
    done = snakemake("-n", "stragglers", "--configfile", str(overlay), check=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: config.stragglers.clusters: 'crowded' must be one of ['few', 'many', 'none']")


def test_runs_that_differ_in_more_are_not_compared(compared):
    """One line that names the key; so for runs that were not simulated."""
    records = load(compared)
    execution = records[1].summary["execution"]
    records[1].summary["execution"] = {**execution, "cluster": {**execution["cluster"], "per_step": 1.0}}
    with pytest.raises(ConfigError, match=r"per_step = 1\.0 must be 0\.25 as in"):
        comparison.runs(records)
    records[1].summary["execution"] = {**execution, "engine": "serial"}
    with pytest.raises(ConfigError, match="its engine must be 'simulated'"):
        comparison.runs(records)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(
            ("cluster", value)
            for value in (None, 3, [], "many", {}, {"workers": 0}, {"workers": True}, {"per_step": "1"})
        ),
        *(("cluster.stragglers", value) for value in (2, -1, "x", None, [0.1], True, float("nan"))),
        *(("cluster.slowdown", value) for value in (0, "x", {}, float("inf"))),
        *(("staleness", value) for value in (0, -1, "2", 1.5, True, [1])),
    ],
)
def test_a_summary_that_says_of_its_cluster_what_cannot_be_is_one_line(key, value, compared):
    """With the file and the key; never a figure of it."""
    records = load(compared)
    summary = records[2].summary
    execution = json.loads(json.dumps(summary["execution"]))
    *parts, last = key.split(".")
    (execution[parts[0]] if parts else execution)[last] = value
    summary["execution"] = execution
    with pytest.raises(ConfigError, match=rf"summary\.json: execution\.{key}") as caught:
        comparison.runs(records)
    assert "\n" not in str(caught.value)


def test_a_summary_without_a_cluster_or_a_staleness_is_one_line(compared):
    """Both are of every simulated run."""
    for key in ("cluster", "staleness"):
        records = load(compared)
        of_bounded = next(r for r in records if r.summary["execution"]["staleness"] is not None)
        of_bounded.summary["execution"] = {k: v for k, v in of_bounded.summary["execution"].items() if k != key}
        with pytest.raises(ConfigError, match=rf"execution\.{key}: is required"):
            comparison.runs(records)
