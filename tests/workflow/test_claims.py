import dataclasses
import json
import math
from datetime import UTC, datetime

import pandas as pd
import pytest

from reproductions.suite.figures.headline import relative
from reproductions.suite.results.claims import Claim, all_claims, margin_of
from reproductions.suite.results.claims import test_in_words as in_words
from reproductions.suite.results.contrasts import contrast
from reproductions.suite.results.gains import gains
from reproductions.suite.results.run_table import asked_in_vain
from reproductions.suite.results.statistics import Estimate, share, student_mean
from reproductions.suite.results.verdicts import judge, verdict
from reproductions.suite.running.provenance import ROOT
from reproductions.suite.study import configuration, registry
from reproductions.suite.study.inputs import InputError
from reproductions.suite.study.registry import ConfigError

CLAIM = Claim("PBT wins", "it does", "recall", "gan", "gan", {"pbt": 1, "random_search": -1})
FALLS = Claim(
    "It falls", "it does", "recall", "gan", "gan", {"pbt": 1}, column="trends.lr", statistic="share", side="below"
)


def runs(scores, domain="gan", problem="fashion_mnist", **columns):
    """A table of runs from {(method, variant): scores by seed}."""
    rows = [
        {
            "domain": domain,
            "problem": problem,
            "method": method,
            "variant": variant,
            "seed": seed,
            "final_selected": 0.0,
            "final_reported": score,
        }
        for (method, variant), of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    return pd.DataFrame(rows).assign(**columns)


def test_a_contrast_pairs_the_seeds_that_all_methods_have():
    """A seed without one of the methods says nothing."""
    table = runs({("pbt", "default"): [3.0, 4.0, 9.0], ("random_search", "default"): [1.0, 1.0]})
    assert contrast(CLAIM, table).values == [2.0, 3.0]


def test_variants_are_methods_of_their_own():
    """``pbt (n-40)`` is not ``pbt``."""
    table = runs({("pbt", "default"): [1.0, 2.0], ("pbt", "n-40"): [5.0, 7.0]})
    claim = dataclasses.replace(CLAIM, weights={"pbt (n-40)": 2, "pbt": -1})
    assert contrast(claim, table).values == [9.0, 12.0]


def test_noise_is_the_distance_from_the_median_of_the_methods_own_seeds():
    """Whatever the methods' means are."""
    table = runs({("pbt", "default"): [1.0, 2.0, 9.0], ("random_search", "default"): [100.0, 101.0, 102.0]})
    assert contrast(dataclasses.replace(CLAIM, column="spread"), table).values == [1.0 - 1.0, 0.0, 7.0 - 1.0]


def test_a_method_that_was_not_run_leaves_the_claim_unjudged():
    """Not run is a verdict, not an error."""
    for method in ("pbt", "tpe"):
        row = judge([CLAIM], runs({(method, "default"): [1.0, 2.0]})).iloc[0]
        assert (row.verdict, row.seeds, row.incomplete) == ("not run", 0, 0)
        assert math.isnan(row.ours)


def test_scores_of_several_games_are_normalised_before_they_are_averaged():
    """In per cent of the way from random play to people; a seed counts if it was run on every game."""
    anchors = registry.sweep("atari").MEASURE.anchors
    tables = []
    for problem in ("ms_pacman", "amidar"):
        low, high = anchors[problem].low, anchors[problem].high
        ours = [low + 0.5 * (high - low)] * 2
        theirs = [low + 0.1 * (high - low)] * (2 if problem == "amidar" else 1)
        tables.append(runs({("pbt", "default"): ours, ("random_search", "default"): theirs}, "atari", problem))
    claim = dataclasses.replace(CLAIM, domain="atari")
    assert contrast(claim, pd.concat(tables)).values == pytest.approx([40.0])


def test_a_trend_is_read_from_its_column():
    """``trends.lr`` is a number within JSON."""
    table = runs({("pbt", "default"): [1.0, 1.0]})
    table["trends"] = [json.dumps({"lr": -0.5}), json.dumps({"lr": -0.7})]
    assert contrast(FALLS, table).values == [-0.5, -0.7]


def test_a_run_without_what_the_claim_is_about_is_told_and_leaves_it_inconclusive():
    """The other seeds alone would settle it."""
    table = runs({("pbt", "default"): [1.0] * 8})
    table["trends"] = [json.dumps({"lr": -0.5})] * 7 + [json.dumps({})]
    row = judge([FALLS], table).iloc[0]
    assert (row.verdict, row.without_value) == ("inconclusive", 1)
    assert math.isnan(row.ours)


def test_seeds_that_lack_a_method_are_counted():
    """They are not among the seeds of the verdict."""
    row = judge([CLAIM], runs({("pbt", "default"): [3.0, 4.0, 9.0], ("random_search", "default"): [1.0, 1.0]})).iloc[0]
    assert (row.seeds, row.incomplete) == (2, 1)


@pytest.mark.parametrize(
    ("falls", "does_not", "expected"),
    [(8, 0, "reproduced"), (5, 0, "inconclusive"), (7, 1, "inconclusive"), (0, 8, "not reproduced")],
)
def test_that_a_value_falls_is_judged_by_the_share_of_seeds_in_which_it_does(falls, does_not, expected):
    """Exactly: 8 of 8 seeds are sure to be more than half, 5 of 5 are not; a value that never changed does not fall."""
    table = runs({("pbt", "default"): [1.0] * (falls + does_not)})
    table["trends"] = [json.dumps({"lr": -0.9})] * falls + [json.dumps({"lr": 0.0})] * does_not
    row = judge([FALLS], table).iloc[0]
    assert row.verdict == expected
    assert 0 <= row.ours_low < row.ours_high <= 1
    assert row.ours == falls / (falls + does_not)


def test_equal_seeds_are_no_certainty():
    """Their mean has no interval; their share has one that is not of no width."""
    equal = runs({("pbt", "default"): [2.0] * 3, ("random_search", "default"): [1.3] * 3}, founders=1.0)
    assert judge([CLAIM], equal).verdict[0] == "inconclusive"
    founders = dataclasses.replace(CLAIM, weights={"pbt": 1}, column="founders", side="at most", threshold=1.0)
    assert judge([founders], equal).verdict[0] == "inconclusive"
    row = judge([dataclasses.replace(founders, statistic="share")], equal).iloc[0]
    assert (row.ours, row.verdict) == (1.0, "inconclusive")
    assert row.ours_low == pytest.approx(0.025 ** (1 / 3))


def test_the_interval_of_a_share_is_clopper_and_pearsons():
    """By hand: none of three seeds, and all of them, leave out 2.5 % on one side."""
    assert share(0, 3).ends == pytest.approx((0.0, 0.0, 1 - 0.025 ** (1 / 3)))
    assert share(3, 3).ends == pytest.approx((1.0, 0.025 ** (1 / 3), 1.0))


@pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: f"{claim.domain}-{claim.text[:40]}")
def test_counts_and_correlations_are_judged_by_shares(claim):
    """They have bounds, which Student's interval leaves."""
    assert (claim.statistic == "share") == (claim.column == "founders" or claim.column.startswith("trends."))


@pytest.mark.parametrize(
    ("low", "high", "side", "expected"),
    [
        (0.1, 0.5, "above", "reproduced"),
        (-0.1, 0.5, "above", "inconclusive"),
        (-0.5, -0.1, "above", "not reproduced"),
        (-0.5, -0.1, "at most", "reproduced"),
        (-0.1, 0.5, "at most", "inconclusive"),
        (0.1, 0.5, "at most", "not reproduced"),
        (0.0, 0.0, "at most", "reproduced"),
        (0.0, 0.0, "above", "not reproduced"),
    ],
)
def test_the_verdict_is_where_the_whole_interval_lies(low, high, side, expected):
    """On the claimed side, on the other, or on both."""
    claim = dataclasses.replace(CLAIM, side=side)
    assert verdict(claim, Estimate((low + high) / 2, low, high), seeds=5) == expected


def test_one_seed_decides_nothing():
    """It has no interval."""
    assert judge([CLAIM], runs({("pbt", "default"): [9.0], ("random_search", "default"): [1.0]})).verdict[0] == (
        "inconclusive"
    )


def test_the_interval_is_students():
    """By hand: three values of mean 2 and standard deviation 1, t = 4.3027 at two degrees of freedom."""
    estimate = student_mean([1.0, 2.0, 3.0])
    assert estimate.high - estimate.value == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)


def test_the_test_of_a_claim_can_be_read():
    """As in the table of verdicts."""
    claim = dataclasses.replace(CLAIM, weights={"pbt": 2, "a": -1, "b": -0.5}, unit="BLEU")
    assert in_words(claim) == "reported: 2 pbt - a - 0.5 b above 0 BLEU"


@pytest.mark.parametrize("domain", registry.domains())
def test_every_domain_judges_pbt_against_the_baselines_that_it_has(domain):
    """At equal compute: random search and hand-tuned, or the toy's grid."""
    judged = {other for claim in all_claims() if claim.domain == domain for other in claim.weights if other != "pbt"}
    assert {"random_search", "hand_tuned", "grid"} & set(registry.sweep(domain).METHODS) <= judged


def test_every_claim_is_about_methods_that_its_domain_has_and_a_target_that_exists():
    """So that a claim is never unjudged because of a misspelt name."""
    import yaml

    from reproductions.suite.running.provenance import ROOT

    config = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())
    for claim in all_claims():
        assert claim.experiment in config["experiments"], claim
        asked = config["experiments"][claim.experiment]
        assert asked.get("domain", claim.experiment) == claim.domain
        named = {method.replace(":", " (") + (")" if ":" in method else "") for method in asked["methods"]}
        assert set(claim.weights) <= named, claim
        assert (claim.mark is None) == (claim.paper.startswith("not "))


@pytest.mark.parametrize(
    ("low", "high", "side", "expected"),
    [
        (-0.1, 0.2, "above", "no difference"),
        (-0.2, 0.1, "at most", "no difference"),
        (-0.1, 0.21, "above", "inconclusive"),
        (0.01, 0.1, "above", "reproduced"),
        (-0.1, -0.01, "above", "not reproduced"),
        (-0.1, 0.2, "alike", "reproduced"),
        (0.1, 0.3, "alike", "inconclusive"),
        (0.21, 0.3, "alike", "not reproduced"),
        (-0.3, -0.21, "alike", "not reproduced"),
    ],
)
def test_an_interval_within_the_margin_shows_that_there_is_no_difference(low, high, side, expected):
    """Where it lies on both sides; a claim that things are alike is reproduced by it."""
    claim = dataclasses.replace(CLAIM, side=side, margin=0.2)
    assert verdict(claim, Estimate((low + high) / 2, low, high), seeds=5) == expected


def test_the_margin_of_reported_scores_is_the_domains_and_other_columns_have_none():
    """Unless the claim says its own."""
    assert margin_of(CLAIM) == registry.sweep("gan").MEASURE.margin
    assert margin_of(dataclasses.replace(CLAIM, column="founders")) is None
    assert margin_of(dataclasses.replace(CLAIM, column="founders", margin=0.5)) == 0.5


def test_verdicts_are_grouped_and_say_what_could_have_been_seen():
    """Results first, then what is open."""
    table = runs({("pbt", "default"): [1.0, 2.0, 3.0], ("random_search", "default"): [2.0, 1.5, 3.2]})
    shown = dataclasses.replace(CLAIM, text="shown", threshold=-50.0)
    missing = dataclasses.replace(CLAIM, text="missing", weights={"pbt": 1, "tpe": -1})
    judged = judge([missing, CLAIM, shown], table)
    assert list(judged.verdict) == ["reproduced", "inconclusive", "not run"]
    assert judged.detectable[1] == pytest.approx(judged.detectable[0])
    assert judged.detectable[1] > 0.5


def test_a_stray_run_on_another_problem_drops_no_seed():
    """A run of another method, or on a problem that the scale does not have."""
    both = {("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]}
    ours = runs(both, scale="laptop")
    another = runs({("tpe", "default"): [9.0]}, problem="another", scale="laptop")
    beyond = runs({("pbt", "default"): [9.0]}, problem="cifar10", scale="laptop")
    assert contrast(CLAIM, pd.concat([ours, another, beyond], ignore_index=True)).values == [1.0, 2.0]


def test_runs_of_several_scales_are_refused_by_all_that_compares_them():
    """Smoke runs of the same seeds would be averaged with those of the laptop scale."""
    both = {("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]}
    table = pd.concat([runs(both, scale="laptop"), runs(both, scale="smoke")], ignore_index=True)
    for compare in (lambda: judge([CLAIM], table), lambda: gains(table), lambda: relative(table, {})):
        with pytest.raises(InputError, match=r"^scale: .* must be of one scale, not of laptop, smoke$"):
            compare()


BUDGETS = {"pbt": [400, 400], "random_search": [400, 400]}


@pytest.mark.parametrize(
    ("budgets", "words"),
    [
        (BUDGETS | {"random_search": [800, 800]}, "pbt default 0: 400, random_search default .: 800.* what is studied"),
        (BUDGETS | {"pbt": [400, 800]}, "pbt default 0: 400, pbt default 1: 800"),
    ],
    ids=["methods", "seeds"],
)
def test_runs_of_several_budgets_are_refused_by_all_that_compares_them(budgets, words):
    """Of two methods, and of two seeds of one: the larger one would win by it."""
    table = runs({("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]}, scale="laptop")
    table["budget_steps"] = [*budgets["pbt"], *budgets["random_search"]]
    for compare in (lambda: judge([CLAIM], table), lambda: gains(table), lambda: relative(table, {})):
        with pytest.raises(
            InputError, match=f"^budget_steps: the runs of fashion_mnist have different budgets .{words}"
        ):
            compare()


def test_a_claim_about_budgets_compares_them_and_the_seeds_of_a_method_still_share_one():
    """As does a table of runs that does not say them."""
    claim = dataclasses.replace(CLAIM, budgets_differ=True)
    table = runs({("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]})
    assert contrast(claim, table.assign(budget_steps=[400, 400, 800, 800])).values == [1.0, 2.0]
    assert contrast(CLAIM, table.assign(budget_steps=math.nan)).values == [1.0, 2.0]
    with pytest.raises(InputError, match=r"different budgets .*cannot be compared$"):
        contrast(claim, table.assign(budget_steps=[400, 800, 800, 800]))


def test_the_claims_about_budgets_are_those_of_the_experiments_about_them():
    """So that neither can compare what the other would refuse."""
    experiments = configuration.read(ROOT / "config" / "config.yaml")["experiments"]
    about = {name for name, experiment in experiments.items() if experiment.get("budgets_differ")}
    assert {claim.experiment for claim in all_claims() if claim.budgets_differ} == about
    assert not [claim for claim in all_claims() if claim.experiment in about and not claim.budgets_differ]


def test_a_test_is_fixed_before_the_runs_where_no_seeds_contrast_could_be_known():
    """One of its methods had not begun with any seed; the margin counts where there is one."""
    both = {("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]}
    table = runs(both, begun="2026-01-01T00:00:00Z", commit="c")
    table.loc[table.method == "random_search", "begun"] = ["2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z"]

    def said(table, fixed, margin_fixed):
        return judge([dataclasses.replace(CLAIM, fixed=fixed, margin_fixed=margin_fixed)], table).fixed[0]

    assert said(table, "2026-01-04T23:59", "2026-01-04T23:59") == "before"
    assert said(table, "2026-01-04T23:59", "2026-01-05T00:01") == "test before, margin after"
    assert said(table, "2026-01-05T00:01", "2026-01-04T23:59") == "after"
    assert said(table, "", "2026-01-04T23:59") == "not known"
    assert said(table.assign(begun=None), "2026-01-04T23:59", "2026-01-04T23:59") == "not known"
    assert said(table[table.method == "pbt"], "2026-01-05T00:01", "2026-01-05T00:01") == "before"


def test_results_that_had_been_seen_are_not_new_because_they_were_made_again(monkeypatch):
    """The date of the first ones counts."""
    monkeypatch.setattr("reproductions.suite.results.dates.SEEN", {("gan", "c"): "2026-01-02T00:00"})
    both = {("pbt", "default"): [1.0, 2.0], ("random_search", "default"): [0.0, 0.0]}
    table = runs(both, begun="2026-01-09T00:00:00Z", commit="c")
    claim = dataclasses.replace(CLAIM, fixed="2026-01-05T00:00", margin_fixed="2026-01-05T00:00")
    assert judge([claim], table).fixed[0] == "after"
    assert judge([claim], table.assign(commit="d")).fixed[0] == "before"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("side", "abov"),
        ("statistic", "Mean"),
        ("mark", "certain"),
        ("fixed", "11/28/2026"),
        ("fixed", "2026-1-2T3:04"),
        ("margin_fixed", "2026-11-28"),
        ("weights", {}),
        ("weights", {"pbt": math.nan}),
        ("threshold", math.inf),
        ("margin", -0.5),
    ],
)
def test_a_claim_that_cannot_be_meant_is_refused_where_it_is_written(field, value):
    """A misspelt side turned its verdict round."""
    with pytest.raises(ConfigError, match=f"^claim 'PBT wins' of gan: {field} = .* must be "):
        dataclasses.replace(CLAIM, **{field: value})


def test_that_things_are_alike_is_shown_by_no_share_of_seeds():
    """The claim would end in a traceback when it is judged."""
    with pytest.raises(ConfigError, match="statistic = 'share' must be 'mean'"):
        dataclasses.replace(CLAIM, side="alike", statistic="share")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"column": "fouders"}, "column = 'fouders' must be one of"),
        ({"column": "commit"}, "column = 'commit' must be one of"),
        ({"column": "trends"}, "column = 'trends' must be one of"),
        ({"column": "trends.lr_x"}, "column = 'trends.lr_x': the hyperparameter must be one of ['lr_d', 'lr_g']"),
        ({"weights": {"pbt": 1, "random_serach": -1}}, "weights: 'random_serach' must be one of ['pbt', "),
        (
            {"weights": {"pbt": 1, "pbt (hodl)": -1}},
            "weights: the variant of 'pbt (hodl)' must be one that is configured",
        ),
    ],
)
def test_what_a_claim_asks_for_in_vain_is_told(change, words):
    """It stays "not run" for ever, as if runs were missing."""
    claim = dataclasses.replace(CLAIM, **change)
    table = runs({("pbt", "default"): [1.0], ("random_search", "default"): [0.0]}, commit="abc")
    assert judge([claim], table).verdict[0] == "not run"
    (line,) = asked_in_vain(claim, {"default", "hold"})
    assert line.startswith("claim 'PBT wins' of gan: ")
    assert words in line


def test_no_claim_of_ours_asks_for_anything_in_vain():
    """Neither columns nor methods are misspelt."""
    variants = {"default", *configuration.read(ROOT / "config" / "config.yaml")["variants"]}
    assert [line for claim in all_claims() for line in asked_in_vain(claim, variants)] == []


@pytest.mark.parametrize("claim", all_claims(), ids=lambda claim: f"{claim.domain}-{claim.text[:40]}")
def test_every_claim_says_when_its_test_and_its_margin_were_fixed(claim):
    """To the minute."""
    for date in (claim.fixed, claim.margin_fixed):
        datetime.strptime(date, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
