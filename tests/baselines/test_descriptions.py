"""What a configuration may say of a method: the table of kinds, and the declarations that it names."""

import dataclasses
import importlib.util
import json
import typing

import pytest

from baselines import PB2, Fixed, Halving, Piecewise, Scheduled
from pbt_core import PBT, BinaryTournament, Compose, Noise, Nudge, Perturb, Resample, Truncation
from pbt_core.exploit import Exploit
from reproductions.suite.cli import main
from reproductions.suite.study import descriptions
from reproductions.suite.study.examples import EXAMPLES
from reproductions.suite.study.kinds import EXPLOIT, EXPLORE, FAMILIES, METHOD
from reproductions.suite.study.parameters import keys
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.settings import resolve


def described(search, **size):
    chosen = {"population": 4, "steps": 120, "interval": 10, **size}
    return resolve("toy", "pbt", overrides=[f"search={search}"], **chosen)


def build(description, family=METHOD):
    return descriptions.build(family, description, "search")


def complete(description):
    return descriptions.complete(METHOD, description, "search")


def replayed(folder):
    """The description of a replay, and its file."""
    path = folder / "lineage.json"
    segment = {"start": 0, "stop": 10, "member": 0, "member_step": 0, "hyperparameters": {"lr": 0.1, "decay": 0.1}}
    tree = {"members": [0], "best": 0, "founders": {"0": 0}, "clones": [], "schedule": [segment]}
    path.write_text(json.dumps(tree))
    return {"kind": "replay", "lineage": str(path), "mode": "final"}


def kinds_in(value):
    """All kinds that a description names, however deep."""
    if isinstance(value, dict):
        yield from [value["kind"]] if "kind" in value else []
        value = value.values()
    if not isinstance(value, str) and isinstance(value, typing.Iterable):
        for item in value:
            yield from kinds_in(item)


def test_every_kind_of_the_table_has_an_example():
    """So that none escapes the contract tests; a replay's example needs a file, which the test below writes."""
    for family in FAMILIES:
        missing = set(family.kinds) - {"replay"} - set(kinds_in([complete(example) for example in EXAMPLES.values()]))
        assert not missing, f"{family.name}: no example of {missing}"


@pytest.mark.parametrize("name", [*EXAMPLES, "replay"])
def test_a_complete_description_is_of_the_same_method_and_says_every_key(name, tmp_path):
    """It is what a summary keeps: JSON, with the defaults of the declaration."""
    example = EXAMPLES.get(name) or replayed(tmp_path)
    whole = json.loads(json.dumps(complete(example)))
    assert build(whole) == build(example)
    assert complete(whole) == whole
    assert set(whole) == {"kind"} | {key.name for key in keys(METHOD.kinds[whole["kind"]])}


def test_the_defaults_are_those_of_the_declarations():
    """PB2 takes all that PBT takes."""
    assert build({"kind": "pbt", "ready": 7}) == PBT(ready=7)
    assert build({"kind": "pb2", "ready": 20, "until": 60, "window": 50}) == PB2(PBT(ready=20, until=60), window=50)
    assert build({"kind": "halving", "pruner": "asha", "training_steps": 40, "first_rung": 10}) == Halving(
        "asha", training_steps=40, first_rung=10
    )
    assert build({"kind": "genetic", "training_steps": 40}).mutation == Compose((Resample(0.25), Perturb()))


@pytest.mark.parametrize(
    ("explore", "meant"),
    [
        ([], None),
        (None, None),
        ({"kind": "nudge"}, Nudge()),
        ([{"kind": "nudge"}], Nudge()),
        (
            [{"kind": "resample"}, {"kind": "perturb", "factors": [2.0, 0.5]}],
            Compose((Resample(), Perturb((2.0, 0.5)))),
        ),
    ],
)
def test_explorers_are_applied_in_the_order_in_which_they_are_listed(explore, meant):
    """One may stand alone; an empty list is none."""
    description = {"kind": "pbt", "ready": 10, "explore": explore}
    assert build(description).explore == meant
    assert isinstance(complete(description)["explore"], list)


def test_a_genetic_search_without_mutation_changes_nothing_but_by_crossing():
    """Its mutation is never null."""
    assert build({"kind": "genetic", "training_steps": 10, "mutation": []}).mutation == Compose(())


def test_a_schedule_may_be_given_piece_by_piece():
    """As baselines has it."""
    points = [[0, {"lr": 0.1}], [10, {"lr": 0.01}]]
    built = build({"kind": "scheduled", "schedules": [{"kind": "piecewise", "points": points}]})
    assert built == Scheduled((Piecewise(((0, {"lr": 0.1}), (10, {"lr": 0.01}))),))
    assert built != Scheduled((Fixed({"lr": 0.1}),))


@dataclasses.dataclass(frozen=True)
class Picky:
    """An exploiter of the user's own, whose parts are exploiters too."""

    least: float
    others: tuple[Exploit, ...] = (Truncation(),)
    last: Exploit | None = None

    def __post_init__(self):
        if self.least < 0:
            raise ValueError(f"Picky: least = {self.least!r} must not be negative")

    def __call__(self, member, population, rng):
        return None


def test_another_kind_is_its_declaration_and_one_row_of_the_table(monkeypatch):
    """Keys, defaults, types, rules and nested kinds follow from it."""
    monkeypatch.setitem(EXPLOIT.kinds, "picky", Picky)
    described = {"kind": "picky", "least": 1, "others": [{"kind": "binary_tournament"}]}
    assert build(described, EXPLOIT) == Picky(1.0, (BinaryTournament(),))
    assert complete({"kind": "pbt", "ready": 5, "exploit": {"kind": "picky", "least": 0.5}})["exploit"] == {
        "kind": "picky",
        "least": 0.5,
        "others": [{"kind": "truncation", "fraction": 0.2}],
        "last": None,
    }
    for wrong, message in [
        ({"least": -1}, "search.least = -1.0 must not be negative"),
        ({"least": True}, "search.least = True: input should be a valid number"),
        ({"others": [{"kind": "truncation", "fraction": 7}]}, "search.others.0.fraction = 7.0 must be in (0, 0.5]"),
        ({"last": {"kind": "magic"}}, "search.last.kind = 'magic' must be one of ['truncation', "),
    ]:
        with pytest.raises(ConfigError) as refused:
            build({**described, **wrong}, EXPLOIT)
        assert str(refused.value).startswith(message)


def test_the_manual_has_every_kind_with_its_keys_and_defaults(capsys):
    """Read from the declarations; one kind comes with its documentation."""
    assert main(["kinds"]) == 0
    printed = capsys.readouterr().out.splitlines()
    for family in FAMILIES:
        for name, kind in family.kinds.items():
            start = printed.index(f"  {name}") + 1
            assert [line.split(":")[0].strip() for line in printed[start : start + len(keys(kind))]] == [
                key.name for key in keys(kind)
            ]
    assert '    exploit: exploit or null = {"kind": "truncation", "fraction": 0.2}' in printed
    assert "    points: list of [whole number, values by name]" in printed
    assert main(["kinds", "halving"]) == 0
    assert "reduction_factor: the papers' eta" in capsys.readouterr().out
    assert main(["kinds", "halvign"]) == 2
    assert "kind = 'halvign' must be one of ['pbt', " in capsys.readouterr().err


def test_whole_trainings_that_fill_the_steps_are_accepted():
    """Population is the number of slots, steps the trainings one after another."""
    settings = described("{kind: halving, pruner: asha, training_steps: 40, first_rung: 10}")
    assert settings.build_method() == Halving("asha", training_steps=40, first_rung=10, reduction_factor=3)
    for search in ("{kind: bayesian, sampler: tpe, training_steps: 120}", "{kind: genetic, training_steps: 30}"):
        assert described(search).steps == 120


_KINDS = "pbt pb2 mf_pbt fire_pbt bayesian halving genetic random_search random_schedules scheduled replay"
METHODS = str(_KINDS.split())
EXPLOITS = "['truncation', 'welch_t_test', 'binary_tournament']"
EXPLORES = "['perturb', 'resample', 'nudge', 'noise']"
ASHA = "kind: halving, pruner: asha, training_steps: 40"
ANNEALED = "kind: annealed, values: {h0: 1.0, h1: 1.0}"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("3", f"search = 3 must be a mapping whose kind is one of {METHODS}"),
        ("{ready: 10}", f"search.kind: is required: one of {METHODS}"),
        ("{kind: [pbt]}", f"search.kind = ['pbt'] must be one of {METHODS}"),
        ("{kind: pbt}", "search.ready: is required"),
        ("{kind: pbt, ready: '2'}", "search.ready = '2': input should be a valid integer"),
        ("{kind: pbt, ready: 10.0}", "search.ready = 10.0: input should be a valid integer"),
        (
            "{kind: pbt, ready: .nan}",
            "--set 'search={kind: pbt, ready: .nan}': search.ready = nan must be a finite number",
        ),
        ("{kind: pbt, ready: 0}", "search.ready = 0 must be at least 1 step"),
        ("{kind: binary_tournament}", f"search.kind = 'binary_tournament' must be one of {METHODS}"),
        ("{kind: random_search, ready: 10}", "search.ready: no such key; 'random_search' has ['initial']"),
        ("{kind: pbt, ready: 10, warmup: 50, until: 20}", "search.until = 20 must be at least warmup = 50 steps"),
        ("{kind: pbt, ready: 10, copy: []}", "search.copy = () must be weights, hyperparameters or both"),
        ("{kind: pbt, ready: 10, copy: [it]}", "search.copy.0 = 'it': input should be 'weights' or 'hyperparameters'"),
        (
            "{kind: pbt, ready: 10, exploit: truncation}",
            f"search.exploit = 'truncation' must be a mapping whose kind is one of {EXPLOITS}, or null",
        ),
        (
            "{kind: pbt, ready: 10, exploit: {kind: perturb}}",
            f"search.exploit.kind = 'perturb' must be one of {EXPLOITS}",
        ),
        (
            "{kind: pbt, ready: 10, exploit: {kind: truncation, fraction: 0.7}}",
            "search.exploit.fraction = 0.7 must be in (0, 0.5]",
        ),
        (
            "{kind: pbt, ready: 10, exploit: {kind: welch_t_test, over: evaluations, window: 21}}",
            "search.exploit.window = 21 must be at most 20 evaluations",
        ),
        (
            "{kind: pbt, ready: 10, explore: perturb}",
            f"search.explore = 'perturb' must be a mapping whose kind is one of {EXPLORES}, or a list of such, or null",
        ),
        (
            "{kind: pbt, ready: 10, explore: [{kind: perturb}, {kind: perturb, factors: [1.2, -1]}]}",
            "search.explore.1.factors = (1.2, -1.0): factors[1] = -1.0 must be above 0",
        ),
        ("{kind: pbt, ready: 10, explore: [{kind: noise}]}", "search.explore.0.scale: is required"),
        (
            "{kind: pbt, ready: 10, initial: [{h0: {a: 1}}]}",
            "search.initial = ({'h0': {'a': 1}},): initial[0]['h0'] = {'a': 1} must be a number, a text, True, False, None "
            "or a tuple of such, and not one which is a dict",
        ),
        ("{kind: pb2, ready: 0}", "search.ready = 0 must be at least 1 step"),
        ("{kind: pb2, ready: 10, window: 5}", "search.window = 5 must be at least startup_intervals = 10"),
        ("{kind: bayesian, sampler: cma, training_steps: 40}", "search.sampler = 'cma': input should be 'tpe' or 'gp'"),
        ("{kind: genetic, training_steps: 240}", "search.training_steps = 240 must be at most steps = 120"),
        ("{kind: genetic, training_steps: 15}", "search.training_steps = 15 must be a multiple of interval = 10"),
        (
            "{kind: genetic, training_steps: 50}",
            "steps = 120 must be a multiple of search.training_steps = 50: whole trainings",
        ),
        ("{kind: genetic, training_steps: 0}", "search.training_steps = 0 must be at least 1 step"),
        (
            "{kind: genetic, training_steps: 40, mutation: null}",
            f"search.mutation = None must be a mapping whose kind is one of {EXPLORES}, or a list of such",
        ),
        (f"{{{ASHA}, first_rung: 15}}", "search.first_rung = 15 must be a multiple of interval = 10"),
        (f"{{{ASHA}, first_rung: 40}}", "search.first_rung = 40 must be in [1, training_steps = 40)"),
        (f"{{{ASHA}, first_rung: 10, reduction_factor: 1}}", "search.reduction_factor = 1 must be at least 2"),
        ("{kind: scheduled, schedules: []}", "search.schedules = () must be one or more"),
        (
            f"{{kind: scheduled, schedules: [{{{ANNEALED}, hold: 5, end: 5}}]}}",
            "search.schedules.0.hold = 5 must be in [0, end = 5)",
        ),
        (
            f"{{kind: scheduled, schedules: [{{{ANNEALED}, hold: 0, end: 5, only: [lr]}}]}}",
            "search.schedules.0.only = ('lr',): 'lr' is not the name of a real value",
        ),
        (
            "{kind: scheduled, schedules: [{kind: piecewise, points: [[5, {h0: 1.0, h1: 1.0}]]}]}",
            "search.schedules.0.points: the steps [5] must begin with 0 and rise",
        ),
        (
            "{kind: replay, lineage: l.json, mode: backwards}",
            "search.mode = 'backwards': input should be 'schedule', 'final' or 'shuffled'",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line_that_names_key_value_and_rule(search, message):
    """Before any work starts; the rules are those of the declarations."""
    with pytest.raises(ConfigError) as refused:
        described(search)
    assert str(refused.value) == message


def test_a_missing_library_is_refused_before_any_work_with_the_remedy(monkeypatch):
    """Also where a run is only planned."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ConfigError, match=r"^PB2 needs the module 'sklearn': pip install -c constraints\.txt -e '\.\[baselines\]'$"
    ):
        described("{kind: pb2, ready: 10}")


def test_the_chain_of_a_family_is_no_kind_of_its_own():
    """A list says it."""
    assert EXPLORE.chain is Compose
    assert build({"kind": "noise", "scale": 0.1}, EXPLORE) == Noise(0.1)
    with pytest.raises(ConfigError, match=r"search.kind = 'compose' must be one of"):
        build({"kind": "compose", "explorers": []}, EXPLORE)
