import numpy as np
import pytest
from scipy import stats

from pbt_core import Serial, Stream
from reproductions.suite.study.settings import resolve
from reproductions.toy.task import Toy

#: Fixed before looking.
SEEDS = range(20)


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Best of two after 200 steps, by variant and seed."""
    folder = tmp_path_factory.mktemp("toy")

    def score(method, seed):
        s = resolve("toy", method, seed)
        return Serial().run(s.build_task(), s.build_method(), s.plan(), folder / f"{method}-{seed}").score

    return {m: np.array([score(m, seed) for seed in SEEDS]) for m in ("pbt", "explore_only", "exploit_only", "grid")}


def test_training_follows_the_closed_form():
    """Each step multiplies theta_i by 1 - 2 lr h_i."""
    toy, h = Toy(), {"h0": 1.0, "h1": 0.25}
    theta = toy.step(toy.init(Stream(0), h), h, 50, Stream(0))
    assert theta == pytest.approx([0.9 * (1 - 0.02) ** 50, 0.9 * (1 - 0.005) ** 50])


def test_the_grid_ends_at_its_limit_and_exploiting_alone_comes_close_to_the_maximum(scores):
    """Each grid worker neglects one coordinate, 1.2 - 0.81 at best; copying theta mends both in turn."""
    assert scores["grid"] == pytest.approx(0.39, abs=0.001)
    assert (scores["exploit_only"] > 1.18).all()
    assert scores["exploit_only"].max() <= 1.2


def test_pbt_beats_exploring_alone_which_beats_the_grid(scores):
    """One-sided Wilcoxon test over paired seeds, level 0.05, fixed before looking."""
    assert stats.wilcoxon(scores["pbt"], scores["explore_only"], alternative="greater").pvalue < 0.05
    assert (scores["explore_only"] > scores["grid"]).all()


def test_exploiting_alone_beats_the_grid_on_every_seed(scores):
    """The toy has no noise without explore: all seeds agree."""
    assert (scores["exploit_only"] > scores["grid"]).all()
    assert np.ptp(scores["exploit_only"]) == 0


def test_copying_hyperparameters_too_would_leave_exploit_only_at_the_grids_limit(tmp_path):
    """The trap that the sweep avoids: both workers then neglect the same coordinate."""
    s = resolve("toy", "exploit_only", overrides=["search.copy=[weights, hyperparameters]"])
    run = Serial().run(s.build_task(), s.build_method(), s.plan(), tmp_path)
    assert run.score < 0.45


def test_in_lock_step_the_two_workers_would_never_copy(tmp_path):
    """The trap of symmetry: synchronous, both always have the same score."""
    s = resolve("toy", "exploit_only", synchronous=True)
    events = Serial().run(s.build_task(), s.build_method(), s.plan(), tmp_path).events
    assert not [event for event in events if event["event"] == "cloned"]
