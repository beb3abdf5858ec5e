"""The figures of finished runs: facts that they are drawn from, and that no kind of run breaks them."""

import dataclasses
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch

from baselines import RandomSearch
from pbt_core import PBT, Choice, LogUniform, Perturb, Plan, Serial, Space
from pbt_core.method import Continue, Restart
from pbt_core.testing import Hill
from reproductions.suite.figures import plotting, profiles
from reproductions.suite.figures.branches import ancestors, answer, branches, founders, kept_until
from reproductions.suite.figures.family import copying_runs, lineages, tree
from reproductions.suite.figures.look import STYLE, arrange, draw
from reproductions.suite.figures.phylogeny import EXTINCT, lines
from reproductions.suite.figures.schematic import schematic
from reproductions.suite.results import statistics
from reproductions.suite.results.records import Record
from reproductions.suite.study import registry
from reproductions.suite.study.figure_names import drawable, meant
from reproductions.suite.study.sweep import Measure

MEASURE = Measure("height", "m", "height, seen again", "steps", {"lr": "learning rate"}, logarithmic=("lr",))
SPACE = Hill().space


@dataclass(frozen=True)
class Again:
    """One training after another: fresh weights every so many steps."""

    every: int

    def start(self, space, size, rng):
        return [space.sample(rng) for _ in range(size)]

    def decide(self, member, population, rng):
        return Restart(SPACE.sample(rng)) if member.step % self.every == 0 else Continue()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Make a run of the hill; its record says it is ``name``."""

    def make(method, name="pbt", seed=3, population=6, steps=60, task=None, synchronous=True):
        plan = Plan(population=population, steps=steps, interval=10, seed=seed, synchronous=synchronous)
        folder = tmp_path_factory.mktemp("run")
        done = Serial().run(task or Hill(), method, plan, folder)
        last = [e for e in done.events if e["event"] == "evaluated" and e["member"] == done.best]
        final = None if done.best is None else {key: last[-1][key] for key in ("score", "held_out", "metrics")}
        summary = {"problem": "hill", "method": name, "variant": "default", "seed": seed, "final": final, "best": final}
        return Record(folder, summary, done.events)

    return make


@pytest.fixture(scope="module")
def kinds(run):
    """Runs of every kind that a figure may meet."""
    named = Space({"lr": LogUniform(1e-4, 1.0), "decay": Choice((0.01, 0.1)), "name": Choice(("b", "a"))})
    return {
        "synchronous": run(PBT(ready=20)),
        "asynchronous": run(PBT(ready=20), synchronous=False),
        "larger": run(PBT(ready=10), population=30),
        "without clones": run(PBT(ready=100)),
        "weights alone": run(PBT(ready=20, copy=("weights",), explore=Perturb((1.0,)))),
        "failing": run(PBT(ready=20), task=Hill(fault=("raise", 0.01))),
        "diverging": run(PBT(ready=20), task=Hill(fault=("diverge", 24.0))),
        "all diverged": run(RandomSearch(), task=Hill(fault=("diverge", 0.0))),
        "restarting": run(Again(20), population=2),
        "one member": run(RandomSearch(), population=1),
        "words": run(PBT(ready=20), task=Hill(space=named)),
    }


def shown(record):
    tree = branches(record.events)
    return tree, lines(tree, answer(tree, record.events))


def test_founders_are_those_of_the_lineage_and_branches_are_joined_restarted_or_copied(kinds):
    """Two readings of the same events agree."""
    assert any(branch.broke for branch in branches(kinds["failing"].events))
    assert any(branch.broke for branch in branches(kinds["diverging"].events))
    for record in kinds.values():
        tree = branches(record.events)
        begun = [e for e in record.events if e["event"] in ("joined", "restarted") or e.get("weights")]
        assert len(tree) == len(begun)
        assert sum(branch.final for branch in tree) == len(record.lineage.members)
        evaluated = sum(e["event"] == "evaluated" for e in record.events)
        assert sum(len(branch.evaluated) for branch in tree) == evaluated
        if not any(e["event"] in ("restarted", "failed") for e in record.events):
            assert founders(tree)[0] == len({record.lineage.founder(member) for member in record.lineage.members})


def test_a_run_without_clones_keeps_all_its_founders(kinds):
    """Each member is its own family."""
    assert founders(branches(kinds["without clones"].events)) == (6, 6)
    few, all_of_them = founders(branches(kinds["larger"].events))
    assert all_of_them == 30
    assert few < 10


def test_the_ancestors_of_the_best_are_those_of_its_schedule(kinds):
    """The framed line of the tree is the lineage that is replayed."""
    for name in ("synchronous", "asynchronous", "larger", "failing"):
        record = kinds[name]
        tree = branches(record.events)
        path = ancestors(tree, *answer(tree, record.events))[::-1]
        members = [tree[index].member for index, until in path if until > tree[index].start]
        scheduled = [segment.member for segment in record.lineage.schedule()]
        assert members == [m for m, before in zip(scheduled, [None, *scheduled], strict=False) if m != before]


def test_every_interval_is_drawn_once_in_the_tree_and_every_final_member_ends_a_line(kinds):
    """Lines are the branches cut and joined anew: nothing is lost, nothing shown twice."""
    for record in kinds.values():
        tree, drawn = shown(record)
        assert sum(len(line.pieces) for line in drawn) == sum(len(branch.evaluated) for branch in tree)
        ends = sorted(tree[line.last].member for line in drawn if tree[line.last].final)
        assert ends == record.lineage.members
        for line in drawn:
            assert all(before.end == after.begin for before, after in pairwise(line.pieces))
        kept = sum(piece.kept for line in drawn for piece in line.pieces)
        until = kept_until(tree, answer(tree, record.events))
        assert kept == sum(
            step <= (u or -1) for branch, u in zip(tree, until, strict=True) for step, _ in branch.evaluated
        )


def test_no_two_lines_of_a_tree_touch_and_no_fork_crosses_a_line(kinds):
    """With 30 members as with 6."""
    for record in kinds.values():
        _, drawn = shown(record)
        rows = sorted(line.row for line in drawn)
        assert all(b - a >= EXTINCT - 1e-9 for a, b in pairwise(rows))
        for line in (line for line in drawn if line.parent is not None):
            low, high = sorted((line.row, drawn[line.parent].row))
            between = [other for other in drawn if low < other.row < high]
            assert not [other for other in between if other.begin < line.begin < other.end]


def test_the_lineages_figure_has_a_line_for_each_final_member_and_says_how_many_founders_remain(kinds):
    """And one more, thick, for the best."""
    record = kinds["synchronous"]
    figure = lineages([record], MEASURE)
    assert [len(ax.lines) for ax in figure.axes] == [7, 7]
    thick = [line for line in figure.axes[0].lines if line.get_linewidth() == 2]
    assert len(thick) == 1
    assert to_rgb(thick[0].get_color()) == to_rgb(plotting.colour([record], "pbt"))
    remain, began = founders(branches(record.events))
    assert f"{remain} of {began} founders left" in figure.axes[0].get_title()
    assert [ax.get_ylabel() for ax in figure.axes] == ["learning rate", "decay"]


@pytest.mark.parametrize("kind", ["failing", "all diverged", "words", "one member"])
def test_all_standard_figures_of_odd_runs_can_be_drawn(kinds, kind):
    """One seed, failures, no score at all, words for hyperparameters: nothing breaks."""
    for make in plotting.standard([kinds[kind]], MEASURE).values():
        make()


def test_families_of_every_kind_of_run_can_be_drawn(kinds):
    """Without clones, without a best member, with restarts, asynchronous."""
    for record in kinds.values():
        for make in (lineages, tree):
            assert np.isfinite(arrange(make([record], MEASURE)).bounds).all()


def test_figures_that_need_pbt_are_left_out_where_there_is_none(run, kinds):
    """A random search has neither family nor rivals."""
    lone = run(RandomSearch(), name="random_search")
    assert set(plotting.standard([lone], MEASURE)) == {"scores", "best_so_far", "population", "performance_profile"}
    both = plotting.standard([lone, kinds["synchronous"]], MEASURE)
    assert {"lineages", "tree", "schedules", "improvement"} <= set(both)
    assert copying_runs([lone, kinds["synchronous"]]) == [kinds["synchronous"]]
    copying = run(PBT(ready=20), name="weights_only")
    assert copying_runs([lone, copying]) == [copying]


@pytest.mark.parametrize("domain", registry.domains())
@pytest.mark.parametrize("several", [False, True])
def test_every_figure_of_a_domain_has_a_name_that_a_configuration_may_ask_for(domain, several, run, kinds):
    """Of one problem and of two, and no name is known that no runs have."""
    longer = run(RandomSearch(), name="random_search", population=2, steps=120)
    runs = [kinds["synchronous"], longer]
    problems = list(registry.sweep(domain).PROBLEMS)[: 1 + several]
    records = [
        dataclasses.replace(one, summary={**one.summary, "domain": domain, "problem": problem})
        for problem in problems
        for one in runs
    ]
    drawn = set(registry.analysis(domain).figures(records))
    assert drawn == set(drawable(domain, problems))
    of_each = [f"scores_{problem}" for problem in problems] if len(problems) > 1 else ["scores"]
    assert meant("scores", problems, drawn) == of_each
    assert [meant(name, problems, drawn) for name in (of_each[0], "score", "scores_")] == [of_each[:1], [], []]


def test_equal_runs_give_equal_bytes(run, kinds, tmp_path):
    """SVG and PNG."""
    records = [kinds["larger"], run(RandomSearch(), name="random_search")]
    small = {"sequential": kinds["restarting"], "pbt": kinds["synchronous"]}
    for name in ("a", "b"):
        figures = {"tree": lambda: tree(records, MEASURE), "schematic": lambda: schematic(small)}
        draw({**figures, "profile": lambda: profiles.performance_profile(records, MEASURE)}, tmp_path / name)
    written = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(written) == 6
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_schematic_has_a_lane_a_training_an_arrow_a_copy_and_a_mark_an_exploration(run, kinds):
    """Drawn from real events, so countable in them."""
    pbt, parallel, sequential = kinds["synchronous"], run(RandomSearch(), population=4), kinds["one member"]
    sequential = run(Again(20), population=1, steps=80)
    figure = schematic({"sequential": sequential, "parallel": parallel, "pbt": pbt}, "height (m)")
    first, second, third, bar = figure.axes
    assert "4 trainings, one after another" in first.get_title()
    assert "4 trainings at once" in second.get_title()
    assert "6 members at once" in third.get_title()
    assert bar.get_ylabel() == "height (m)"
    copies = [e for e in pbt.events if e["event"] == "cloned"]
    assert copies
    assert sum(isinstance(patch, FancyArrowPatch) for patch in third.patches) == len(copies)
    diamonds = sum(len(line.get_xdata()) for line in third.lines if line.get_marker() == "D")
    assert diamonds == len(copies)  # Perturb changes the hyperparameters of each
    assert first.get_xlim()[1] > 4 * 20 > second.get_xlim()[1]


def test_members_of_a_search_without_restarts_are_drawn_one_after_another(run):
    """What a single worker would do."""
    figure = schematic({"sequential": run(RandomSearch(), population=3)})
    begun = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert begun == [0, 60, 120]


def test_copied_weights_alone_are_no_exploration(kinds):
    """The hyperparameters stay those that the member had."""
    tree = branches(kinds["weights alone"].events)
    assert any(branch.parent is not None for branch in tree)
    assert not any(branch.explored for branch in tree)


def test_a_performance_profile_is_the_share_of_runs_above_each_threshold():
    """Two problems weigh the same, whatever their seeds; a run without a score is above nothing."""
    taus, fraction, low, high = profiles.profile([np.array([1.0, 2.0, 3.0, math.nan]), np.array([2.0, 2.0])])
    assert list(taus) == [1, 2, 3]
    assert list(fraction) == [(2 / 4 + 1) / 2, (1 / 4 + 0) / 2, 0]
    assert (low <= fraction).all()
    assert (fraction <= high).all()
    assert np.isnan(profiles.profile([np.array([1.0])])[2]).all()


def test_means_of_many_columns_at_once_are_those_of_each():
    """Value and interval; a column with a hole has no interval, one seed has none either."""
    scores = np.random.default_rng(0).normal(size=(5, 7))
    scores[2, 3] = math.nan
    together = np.array(profiles.means(scores))
    for column, of_column in zip(scores.T, together.T, strict=True):
        estimate = statistics.mean(list(column))
        assert of_column == pytest.approx([estimate.value, estimate.low, estimate.high], nan_ok=True)
    assert np.isnan(profiles.means(scores[:1])[1]).all()


def test_improvement_over_several_problems_averages_within_problems():
    """A win on one and a loss on the other come to chance, though the scores of the one are larger."""
    ours, theirs = [np.array([1.0, 1.1]), np.array([200.0, 210.0])], [np.array([2.0, 2.1]), np.array([100.0, 110.0])]
    assert str(profiles.improved(ours, theirs)) == "0.500"
    alone = profiles.improved(ours[:1], theirs[:1])
    same = statistics.probability_of_improvement(list(ours[0]), list(theirs[0]))
    assert alone.ends == pytest.approx(same.ends, abs=0, nan_ok=True)


def test_the_common_style_keeps_text_as_text_and_ids_fixed():
    """Searchable figures, equal bytes."""
    assert STYLE["svg.fonttype"] == "none"
    assert STYLE["svg.hashsalt"]


@pytest.mark.parametrize("kind", ["synchronous", "asynchronous", "failing", "diverging"])
def test_the_coloured_line_of_a_population_is_the_ancestry_of_the_answers_weights(kinds, kind):
    """The scores that they had and the hyperparameters that trained them, whichever members held them."""
    record = kinds[kind]
    passed, path = plotting.ancestry(record), record.lineage.schedule()
    assert list(passed.member) == [segment.member for segment in path]
    assert list(passed.lr) == [segment.hyperparameters["lr"] for segment in path]
    assert passed.score.iloc[-1] == pytest.approx(record.summary["final"]["score"])


def test_a_run_without_an_answer_has_no_ancestry(kinds):
    """Where all diverged."""
    assert plotting.ancestry(kinds["all diverged"]).empty


def test_curves_are_named_by_what_evaluations_hold_out_and_answers_by_their_report(run):
    lone = run(PBT(ready=20), "pbt", population=6, steps=60)
    measure = replace(MEASURE, report="height of the answer")
    best_so_far, scores = plotting.best_so_far([lone], measure), plotting.score_comparison([lone], measure)
    assert best_so_far.axes[0].get_ylabel().startswith("height, seen again (m)")
    assert scores.axes[0].get_ylabel() == "height of the answer (m)"
    assert MEASURE.reported == "height, seen again"


def test_the_best_so_far_stands_against_the_cost_of_all_members_and_the_time_of_one(run):
    """One training after another costs as much as many at once, and takes longer."""
    together, alone = run(PBT(ready=20), "pbt", population=6, steps=60), run(Again(60), "tpe", population=1, steps=360)
    figure = plotting.best_so_far([together, alone], MEASURE)
    costs, times = ([line.get_xdata()[-1] for line in ax.lines] for ax in figure.axes)
    assert costs == [360, 360]
    assert times == [60, 360]
