"""Figures that compare runs by their scores alone: methods, problems, ablations, domains."""

import math
from pathlib import Path

import pytest

from pbt_core import Record as Events
from reproductions.suite.figures import ablations, plotting, profiles
from reproductions.suite.figures.look import draw, places
from reproductions.suite.results.contrasts import Contrast
from reproductions.suite.results.records import Record, method_order
from reproductions.suite.study.sweep import Anchor, Measure

MEASURE = Measure("height", "m", "height, seen again", "steps", {"lr": "learning rate"}, logarithmic=("lr",))


def scored(method, seed, score, problem="hill", variant="default"):
    """The record of a run that never was."""
    final = {"score": score, "held_out": None, "metrics": {}} if math.isfinite(score) else None
    summary = {"problem": problem, "method": method, "variant": variant, "seed": seed, "final": final}
    return Record(Path(problem), summary, Events())


def test_methods_come_in_one_order_with_numbers_by_their_size():
    """PBT first; a population of 6 before one of 24, a share of 0.05 before one of 0.3."""
    order = ["pbt", "pbt (fraction-0.05)", "pbt (fraction-0.3)", "pbt (population-6)", "pbt (population-24)"]
    order += ["pbt_t_test", "grid", "random_search"]
    named = [name.rstrip(")").split(" (") for name in reversed(order)]
    records = [scored(method, 0, 1.0, variant=variant[0] if variant else "default") for method, *variant in named]
    assert method_order(records) == order


def test_improvement_has_a_row_for_each_rival_and_tells_of_runs_without_a_score():
    """Nothing is hidden."""
    records = [scored(m, s, s + (m == "pbt")) for m in ("pbt", "grid", "random_search") for s in range(3)]
    records.append(scored("grid", 3, math.nan))
    ax = profiles.improvement(records, MEASURE).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "grid\n(3 against 4 runs)",
        "random search\n(3 against 3 runs)",
    ]
    assert [text.get_text() for text in ax.texts] == ["1 without a score, ranked last"]


def test_figures_across_problems_are_human_normalised():
    """Over all problems with anchors, which alone make scores comparable."""
    anchors = {"small": Anchor(0, 1, ""), "large": Anchor(0, 1000, "")}
    measure = Measure("score", "", None, "steps", anchors=anchors)
    records = [scored(m, s, 0.5, "small") for m in ("pbt", "grid") for s in range(2)]
    records += [scored(m, s, 250.0 + s, "large") for m in ("pbt", "grid") for s in range(2)]
    figures = plotting.across_problems(records, measure)
    assert list(figures) == ["human_normalised", "performance_profile", "improvement"]
    assert "4 runs a method" in figures["performance_profile"]().axes[0].get_title()
    assert profiles.comparable(records, measure)["pbt"]["large"] == pytest.approx([25.0, 25.1])
    assert list(plotting.across_problems(records[:4], measure)) == ["human_normalised"]
    with pytest.raises(ValueError, match="anchors"):
        profiles.performance_profile(records, MEASURE)


def test_random_play_is_marked_where_its_score_is():
    """Across the axis of scores, which is the horizontal one in a profile; within what is drawn, with a line in the legend."""
    measure = Measure("score", "", None, "steps", anchors={"hill": Anchor(-3.0, 1000, "")})
    records = [scored(method, seed, 10.0 + seed) for method in ("pbt", "grid") for seed in range(2)]
    profile, scores = (
        make(records, measure).axes[0] for make in (profiles.performance_profile, plotting.score_comparison)
    )
    for ax, along in ((profile, "x"), (scores, "y")):
        (line,) = [line for line in ax.lines if line.get_label() == "random play"]
        assert list(getattr(line, f"get_{along}data")()) == [-3.0, -3.0]
        assert getattr(ax, f"get_{along}lim")()[0] < -3.0


def test_methods_that_most_studies_have_are_of_one_colour_everywhere():
    """Whichever others are beside them; those have colours that are free."""
    few = places(["pbt", "random_search", "hand_tuned"])
    many = places(["pbt", "pbt (six)", "random_search", "asha", "hand_tuned", "gp"])
    assert {name: many[name] for name in few} == few
    assert len(set(many.values())) == len(many)
    assert places(["a", "b"]) == {"a": 0, "b": 1}


def test_titles_tell_which_means_have_no_interval_and_legends_which_methods_lack_a_problem():
    """An unfinished study: some methods have a seed, some have more, one has not all problems."""
    anchors = {"small": Anchor(0, 1, ""), "large": Anchor(0, 1000, "")}
    measure = Measure("score", "", None, "steps", anchors=anchors)
    pbt = [scored("pbt", seed, 0.5 + seed, problem) for seed in range(2) for problem in anchors]
    whole = [*pbt, *(scored("grid", seed, 0.1, problem) for seed in range(2) for problem in anchors)]
    mixed = [*pbt, scored("grid", 0, 0.1, "small")]
    interval = "95 % bootstrap interval"
    for records, said in (
        (whole, f"{interval} (2 seeds)"),
        (mixed, f"{interval}, none for one seed (1 to 2 seeds)"),
        (pbt[:1], "one seed: no interval"),
    ):
        figures = profiles.performance_profile(records, measure), plotting.human_normalised_scores(records, measure)
        for title in (figure.axes[0].get_title().replace(" over seeds", "") for figure in figures):
            assert title.endswith(said)
    legend = profiles.performance_profile(mixed, measure).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["PBT", "grid\n(1 of 2 problems)"]
    assert profiles.improvement(mixed, measure).axes[0].get_title().endswith("or with one seed of a problem")
    assert profiles.improvement(whole, measure).axes[0].get_title().endswith("one side wins every pair")


def test_ablations_have_a_panel_an_experiment_and_a_place_a_variant(tmp_path):
    """Also for a variant whose members all diverged; titles and labels are those given."""
    all_three = Contrast({seed: 1.0 + seed for seed in range(3)}, 0, 0)
    experiments = {
        "population": {"4": Contrast({0: 1.0}, 0, 0), "8": all_three},
        "copied": {"both": all_three, "weights": Contrast({}, 0, 0), "none": Contrast({}, 0, 1)},
    }
    figure = ablations.bars(experiments, "height (m)", "hills")
    assert [ax.get_title() for ax in figure.axes] == ["population", "copied"]
    assert [label.get_text() for label in figure.axes[1].get_xticklabels()] == ["both", "weights", "none"]
    assert [list(line.get_ydata()) for line in figure.axes[0].lines[:1]] == [[1.0]]
    assert figure.axes[0].get_ylabel() == "height (m)"
    assert "1 run without a finite score left out" in figure.get_suptitle()
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    draw({"bars": lambda: figure, "nothing": lambda: ablations.bars({"empty": {}}, "", "")}, tmp_path)


def test_a_curve_has_its_settings_as_ticks_on_a_logarithmic_axis(tmp_path):
    """A line a label through the means."""
    points = {size: Contrast({seed: size + seed for seed in range(3)}, 0, 0) for size in (4, 40, 8)}
    lines = {"pbt": points, "random_search": {4: Contrast({0: 4.0}, 0, 0), 8: Contrast({}, 0, 0)}}
    figure = ablations.curve(lines, "members", "height (m)", "hills")
    ax = figure.axes[0]
    assert ax.get_xscale() == "log"
    assert list(ax.get_xticks()) == [4, 8, 40]
    assert list(ax.lines[0].get_ydata()) == [5, 9, 41]
    assert ax.get_title().startswith("hills, PBT and random search: mean over seeds")
    assert ax.get_title().endswith("none for one seed (1 to 3 seeds)")
    draw({"curve": lambda: figure, "nothing": lambda: ablations.curve({}, "members", "", "")}, tmp_path)
