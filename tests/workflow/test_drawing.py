"""How figures are asked for and written: many in one process, of what is there, and what cannot be drawn in one line."""

import json
import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from checkouts import command, configure, copied, snakemake
from matplotlib.figure import Figure

from pbt_core import Serial
from pbt_core.pbt import PBT
from pbt_core.plan import Plan
from pbt_core.testing import Hill
from reproductions.suite.cli import main
from reproductions.suite.figures import paper, plotting
from reproductions.suite.figures.illustrations import illustrations
from reproductions.suite.figures.look import STYLE, arrange, draw
from reproductions.suite.results import records, run_table
from reproductions.suite.results.illustration import read_illustration
from reproductions.suite.results.records import Record, load, outcomes
from reproductions.suite.results.traits import traits
from reproductions.suite.study.sweep import Measure


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two seeds each of PBT and the grid on the toy."""
    place = tmp_path_factory.mktemp("runs")
    for method in ("pbt", "grid"):
        for seed in ("0", "1"):
            out = str(place / f"{method}-{seed}")
            assert main(["run", "toy", method, "--seed", seed, "--quiet", "--set", "steps=20", "--out", out]) == 0
    return sorted(place.iterdir())


@pytest.fixture
def read(monkeypatch):
    """The folders whose events are read, as they are read."""
    seen, really = [], records.read_events
    monkeypatch.setattr(records, "read_events", lambda path: (seen.append(path.parent), really(path))[1])
    return seen


def test_many_drawings_in_one_process_read_each_run_once_and_are_those_of_one_process_each(folders, tmp_path, read):
    """Byte for byte, with the options of each."""
    asked = [[folders, "scores", "figure2"], [folders[:2], "scores"], [folders[1:], "best_so_far"]]
    words = [
        [*map(str, runs), "--out", "{}" + f"/{number}", "--only", *names] for number, (runs, *names) in enumerate(asked)
    ]
    together = [word.format(tmp_path / "together") for part in words for word in ("--then", *part)][1:]
    assert main(["figure", "toy", *together]) == 0
    assert sorted(read) == folders
    for part in words:
        assert main(["figure", "toy", *(word.format(tmp_path / "alone") for word in part)]) == 0
    alone = {path.relative_to(tmp_path / "alone"): path.read_bytes() for path in (tmp_path / "alone").rglob("*.*")}
    assert len(alone) == 8
    assert alone == {
        path.relative_to(tmp_path / "together"): path.read_bytes() for path in (tmp_path / "together").rglob("*.*")
    }


def test_nothing_is_drawn_where_a_later_part_of_the_request_is_wrong(folders, tmp_path, capsys):
    """A run that is not there, or an option that is not known."""
    first = ["figure", "toy", str(folders[0]), "--out", str(tmp_path / "o"), "--only", "scores", "--then"]
    assert main([*first, str(tmp_path / "nowhere"), "--out", str(tmp_path / "p")]) == 2
    with pytest.raises(SystemExit):
        main([*first, str(folders[1])])
    assert "nowhere holds no finished run" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_figure_whose_runs_left_no_picture_is_left_out_with_a_line(tmp_path, capsys):
    """All others are drawn; one that holds something else is an error, as any damaged file."""
    figures = {"views": lambda: read_illustration(tmp_path, frames=4), "empty": Figure}
    assert [path.name for path in draw(figures, tmp_path / "o")] == ["empty.svg", "empty.png"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"left out: figure views: {tmp_path / 'illustration.safetensors'}: there is no such file"
    (tmp_path / "illustration.safetensors").write_bytes(b"no arrays")
    with pytest.raises(records.InputError, match="holds no arrays"):
        draw(figures, tmp_path / "o")


def test_figures_of_an_earlier_drawing_go_once_all_new_ones_are_there(folders, tmp_path, monkeypatch):
    """Only those, and none where drawing fails."""
    out = tmp_path / "o"
    words = ["figure", "toy", *map(str, folders), "--out", str(out), "--replace", "--only"]
    assert main([*words, "scores", "figure2"]) == 0
    (out / "notes.txt").touch()
    before = sorted(path.name for path in out.iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(Figure, "savefig", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            main([*words, "scores"])
    assert sorted(path.name for path in out.iterdir()) == before
    assert main([*words, "scores"]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "scores.png", "scores.svg"]


def test_illustrations_are_of_the_runs_of_the_first_seed_that_have_an_answer():
    """No other run has one that is kept."""
    runs = [SimpleNamespace(seed=seed, summary={"final": final}) for seed in (1, 0) for final in ({"score": 1.0}, None)]
    shown = []
    (make,) = illustrations(runs, views=shown.append).values()
    make()
    assert shown == [[runs[2]]]
    assert illustrations(runs[:2], views=shown.append)
    assert not illustrations(runs[1:2], views=shown.append)
    assert not illustrations([], views=shown.append)


def test_of_the_papers_figures_the_first_alone_reads_events(folders, tmp_path, read, monkeypatch):
    """For all others the summaries are enough."""
    assert main(["paper", *map(str, folders), "--out", str(tmp_path / "o")]) == 0
    assert not read
    monkeypatch.setattr(paper, "SCHEMATIC", {"pbt": "pbt"})
    assert main(["paper", *map(str, folders[::-1]), "--out", str(tmp_path / "o")]) == 0
    assert read == [folder for folder in folders if folder.name == "pbt-0"]
    assert (tmp_path / "o" / "figure1.svg").exists()


def test_ablations_are_drawn_at_the_sizes_that_were_run_and_of_any_domain(tmp_path):
    """Whatever the variants are called; what differs in something else as well is at no place along a setting."""
    variants = {
        "default": ["steps=20"],
        "many": ["steps=20", "population=5"],
        "few": ["steps=20", "population=3"],
        "late": ["steps=20", "search.ready=8"],
        "other": ["steps=40", "population=7"],
    }
    for variant, changes in variants.items():
        words = [word for change in changes for word in ("--set", change)]
        for seed in ("0", "1"):
            out = str(tmp_path / "runs" / f"{variant}-{seed}")
            named = ["toy", "pbt", "--variant", variant, "--seed", seed]
            assert main(["run", *named, "--quiet", *words, "--out", out]) == 0
    runs = outcomes(sorted((tmp_path / "runs").iterdir()))
    settings = runs[0].summary["settings"]
    size, ready = settings["population"], settings["search"]["ready"]
    along = {setting: paper.along(runs, "pbt", place) for setting, (_, place) in paper.SETTINGS.items()}
    sizes = {3: "pbt (few)", size: "pbt", 5: "pbt (many)"}
    assert along["population_size"] == dict(sorted(sizes.items()))
    assert along["ready_interval"] == dict(sorted({ready: "pbt", 8: "pbt (late)"}.items()))
    made = paper.figures(runs, run_table.outcomes(runs))
    assert {"figure5_toy", "population_size_toy", "ready_interval_toy"} <= set(made)
    (panel,) = made["figure5_toy"]().axes
    assert [text.get_text() for text in panel.get_xticklabels()] == [str(size) for size in sorted(sizes)]
    drawn = sorted(score for line in panel.lines if line.get_marker() == "o" for score in line.get_ydata())
    expected = sorted(run.reported() for run in runs if run.method in sizes.values())
    np.testing.assert_allclose([score for score in drawn if score in expected], expected)
    assert list(made["population_size_toy"]().axes[0].get_xticks()) == sorted(sizes)
    without = [run for run in runs if run.method != "pbt"]
    assert not any("toy" in name for name in paper.figures(without, run_table.outcomes(without)))


def test_outcomes_have_all_of_the_table_of_runs_that_needs_no_lineage(folders):
    """The same numbers, in the same order."""
    whole = run_table.runs(load(folders))
    named = ["method", "seed"]
    of_outcomes = run_table.outcomes(outcomes(folders)).set_index(named).loc[list(map(tuple, whole[named].to_numpy()))]
    assert of_outcomes.reset_index()[list(of_outcomes.columns)].equals(
        whole.drop(columns=[*named, *traits(load(folders)[0])])[list(of_outcomes.columns)]
    )


@pytest.mark.parametrize("methods", [["pbt"], ["pbt", "pbt_t_test"]])
def test_the_legend_of_schedules_lies_beside_their_title_and_panels(methods, tmp_path):
    """However many panels there are above which the title must fit."""
    plan = Plan(population=6, steps=60, interval=10)
    of_seeds = []
    for seed in range(3):
        done = Serial().run(Hill(), PBT(ready=20), replace(plan, seed=seed), tmp_path / str(seed))
        summary = {"problem": "a_hill_with_a_long_name", "variant": "default", "seed": seed}
        of_seeds += [Record(tmp_path, {**summary, "method": method}, done.events) for method in methods]
    measure = Measure("height", "m", "height, seen again", "steps", {}, logarithmic=("lr",))
    with matplotlib.rc_context(STYLE):
        figure = plotting.schedules(of_seeds, measure)
        arrange(figure)
        (legend,) = figure.legends
        box = legend.get_window_extent()
        title = figure._suptitle.get_window_extent()
        assert not box.overlaps(title)
        assert not any(box.overlaps(ax.get_window_extent()) for ax in figure.axes)
        assert title.width < figure.bbox.width
        assert [text.get_text() for text in legend.texts] == ["a seed", "their median"]


def test_schedules_have_a_line_a_seed_and_their_median(tmp_path):
    """By step, of the seeds' values on their stairs."""
    plan = Plan(population=4, steps=40, interval=10)
    runs = [Serial().run(Hill(), PBT(ready=10), replace(plan, seed=seed), tmp_path / str(seed)) for seed in range(3)]
    summary = {"problem": "hill", "variant": "default", "method": "pbt"}
    records = [Record(tmp_path, {**summary, "seed": seed}, run.events) for seed, run in enumerate(runs)]
    figure = plotting.schedules(records, Measure("height", "m", "height, seen again", "steps", {}, logarithmic=("lr",)))
    assert figure.get_suptitle().replace("\n", " ").endswith("3 seeds")
    *of_seeds, median = figure.axes[0].lines
    values = [[segment.hyperparameters["lr"] for segment in run.schedule()] for run in runs]
    assert [list(line.get_ydata()[:-1]) for line in of_seeds] == values
    expected = np.median(values, axis=0)
    assert median.get_xdata().tolist() == [0, 10, 20, 30, 40]
    np.testing.assert_allclose(median.get_ydata(), [*expected, expected[-1]])
    (alone,) = plotting.schedules(records[:1], Measure("height", "m", None, "steps")).axes[0].lines
    assert list(alone.get_ydata()[:-1]) == values[0]


def test_labels_between_powers_of_ten_do_not_touch():
    """Of a range of little more than one decade some are needed, and 0.004 beside 0.003 cannot be read."""
    figure, axes = plotting.panels(2, 1, 3.0, 2.0)
    for ax, high in zip(axes[:, 0], (0.006, 6.0), strict=True):
        ax.plot([0, 1], [1.5e-4, high])
        plotting.count_decades(ax)
    figure.canvas.draw()
    few, none = ([text.get_text() for text in ax.get_yticklabels(minor=True) if text.get_text()] for ax in axes[:, 0])
    assert {"0.0002", "0.0005", "0.002", "0.005"} <= set(few)
    assert not any(label.lstrip("0.").startswith(("3", "4", "6")) for label in few)
    assert none == []


def test_finished_runs_are_not_made_again_whatever_is_newer(tmp_path):
    """A copy of runs loses their order in time: a replay older than the lineage that it trained on is not begun again."""
    checkout = copied(tmp_path)
    configure(checkout, methods=("pbt", "replay"))
    run = "results/smoke/runs/toy/quadratic/{}/default/seed-0"
    pbt, replay = (checkout / run.format(method) for method in ("pbt", "replay"))
    of_toy = ["reproductions", "run", "toy", "--quiet", "--scale", "smoke"]
    command(*of_toy, "pbt", "--out", pbt, cwd=checkout)
    command(*of_toy, "replay", "--lineage", pbt / "lineage.json", "--out", replay, cwd=checkout)
    made = (replay / "summary.json").read_bytes()
    later = (replay / "summary.json").stat().st_mtime + 60
    os.utime(pbt / "lineage.json", (later, later))
    done = snakemake("toy", "--config", "runs=finished", cwd=checkout)
    assert "rule run" not in done.stdout + done.stderr
    assert (replay / "summary.json").read_bytes() == made
    assert (checkout / "results/smoke/tables/toy").is_dir()


def test_simulated_runs_are_not_made_either_where_only_finished_ones_count():
    """The other rule that trains: what it would have made is missing, and nothing is planned."""
    plan = snakemake("stragglers", "-n", "--config", "runs=finished", check=False)
    assert plan.returncode != 0
    assert "simulated" in plan.stdout + plan.stderr
    assert "rule simulated_run" not in plan.stdout + plan.stderr


def test_results_can_be_made_of_the_runs_that_are_there(tmp_path):
    """`runs=finished` makes no run, and says in one line what is left out; seeds of a method are one word of a command."""
    checkout = copied(tmp_path)
    configure(checkout, seeds=(0, 1))
    config = json.loads((checkout / "config" / "config.yaml").read_text())
    config["experiments"] |= {
        "again": {**config["experiments"]["toy"], "domain": "toy", "figures": ["scores"]},
        "exploring": {"domain": "toy", "methods": ["pbt", "explore_only"], "seeds": [0], "figures": ["scores"]},
    }
    (checkout / "config" / "config.yaml").write_text(json.dumps(config))
    runs = checkout / "results/smoke/runs/toy/quadratic"
    for seed in (0, 1):
        command(*f"reproductions run toy pbt --quiet --scale smoke --seed {seed}".split(),
                *("--out", runs / f"pbt/default/seed-{seed}"), cwd=checkout)  # fmt: skip
    (checkout / "figures/smoke/toy").mkdir(parents=True)
    (former := checkout / "figures/smoke/toy/scores_of_former_problems.svg").touch()
    done = snakemake("figures", "-p", "--config", "runs=finished", cwd=checkout)
    assert not former.exists()
    printed = done.stdout + done.stderr
    counted = "toy (2 of 4 runs), again (2 of 4 runs), exploring (1 of 2 runs)"
    assert f"left out: {counted}: needs runs that are not there" in printed
    assert "left out: exploring: all that is there of them is another experiment's, too" in printed
    assert not (checkout / "figures/smoke/exploring").exists()
    assert "pbt/default/seed-{0,1} --out figures/smoke/toy --only --replace --then " in printed
    assert not (runs / "grid").exists()
    assert {path.name for path in (checkout / "figures/smoke").glob("*/*.svg")} >= {"figure2.svg", "scores.svg"}
    assert sorted(path.name for path in (checkout / "figures/smoke/again").iterdir()) == ["scores.png", "scores.svg"]
    assert (
        "Nothing to be done"
        in (again := snakemake("figures", "--config", "runs=finished", cwd=checkout)).stdout + again.stderr
    )
    shutil.rmtree(runs / "pbt")
    refused = snakemake("figures", "--config", "runs=finished", cwd=checkout, check=False)
    assert "cannot run here: it needs runs that are not there" in refused.stderr
