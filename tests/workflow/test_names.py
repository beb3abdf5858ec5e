"""The name of a run: its folder and back, what is no name, and how methods are written."""

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reproductions.suite.study import names
from reproductions.suite.study.names import RunName, in_words, label, parse_method
from reproductions.suite.study.registry import ConfigError

WORDS = st.from_regex(names.WORD, fullmatch=True).filter(lambda word: len(word) <= 100)
RUNS = st.builds(RunName, *[WORDS] * 5, st.integers(0, 2**63 - 1))
RUN = RunName("smoke", "toy", "quadratic", "pbt", "default", 3)


@given(RUNS)
def test_the_folder_of_every_name_is_parsed_back_to_it(run):
    """Whatever the name, the folder is seven levels below the results folder and never leaves it."""
    assert RunName.parse(run.folder) == run
    assert len(run.folder.parts) == 7
    assert ".." not in run.folder.parts
    assert not run.folder.is_absolute()


@given(RUNS, RUNS)
def test_two_names_never_share_a_folder(one, other):
    assert (one.folder == other.folder) == (one == other)


@given(st.text(max_size=40))
def test_whatever_is_taken_for_a_part_could_be_a_folder(text):
    """All else is refused with the part and the rule, in one line."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) and ".." not in text:
        run = dataclasses.replace(RUN, problem=text)
        assert RunName.parse(run.folder).problem == text
    else:
        with pytest.raises(ConfigError) as refusal:
            dataclasses.replace(RUN, problem=text)
        assert str(refusal.value).startswith("problem = ")
        assert "must be at most 100 letters, digits and ._-" in str(refusal.value)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("part", names.PARTS[:-1])
@pytest.mark.parametrize(
    "value", ["", ".", "..", "a/b", "-a", ".a", "a..b", "a b", "a\n", "é", "{seed}", "a" * 101, None, 7]
)
def test_every_part_is_held_to_the_rule(part, value):
    with pytest.raises(ConfigError, match=f"^{part} = .* must be at most 100 letters"):
        dataclasses.replace(RUN, **{part: value})


@pytest.mark.parametrize("seed", [-1, 2**63, True, 1.0, "1", None])
def test_a_seed_is_a_whole_number_that_other_tools_can_hold(seed):
    with pytest.raises(ConfigError, match=r"^seed = .* must be a whole number from 0 to"):
        dataclasses.replace(RUN, seed=seed)


@pytest.mark.parametrize(
    "folder",
    [
        "",
        "smoke/runs/toy/quadratic/pbt/seed-3",
        "results/smoke/runs/toy/quadratic/pbt/default/seed-3",
        "/smoke/runs/toy/quadratic/pbt/default/seed-3",
        "smoke/runs/toy/quadratic/pbt/default/seed-3/state",
        "smoke/runs/toy/quadratic/pbt/default/seed-03",
        "smoke/runs/toy/quadratic/pbt/default/seed--3",
        "smoke/runs/toy/quadratic/pbt/default/seed-3\n",
        "smoke/runs/toy/quadratic/pbt/default/seed-٣",
        "smoke/runs/toy/../pbt/default/seed-3",
        "smoke/tables/toy/quadratic/pbt/default/seed-3",
    ],
)
def test_a_folder_of_no_run_is_refused_with_the_rule(folder):
    with pytest.raises(ConfigError, match="must be the folder of a run"):
        RunName.parse(Path(folder))


def test_a_folder_whose_seed_no_run_can_have_is_refused():
    with pytest.raises(ConfigError, match="seed = 9223372036854775808 must be"):
        RunName.parse(Path(f"smoke/runs/toy/quadratic/pbt/default/seed-{2**63}"))


def test_folders_stay_where_kept_results_have_them():
    assert RUN.folder == Path("smoke/runs/toy/quadratic/pbt/default/seed-3")


def test_settings_and_summaries_have_the_same_name():
    """By attributes and by keys."""
    assert RunName.of(dataclasses.asdict(RUN) | {"final": None}) == RUN
    assert RunName.of(RUN) == RUN


@given(WORDS.filter(lambda word: word != "default"), WORDS.filter(lambda word: word != "default"))
def test_the_notation_of_configurations_names_a_method_or_a_variant_of_it(method, variant):
    assert parse_method(method) == (method, "default")
    assert parse_method(f"{method}:{variant}") == (method, variant)


@pytest.mark.parametrize(
    "text", ["", ":", "pbt:", ":wide", "pbt:a:b", "pbt: wide", "pbt:default", "a/b", "pbt:a/b", "pbt\n"]
)
def test_another_notation_is_refused(text):
    with pytest.raises(ConfigError, match="must be"):
        parse_method(text)


def test_tables_and_captions_call_runs_by_method_and_variant():
    assert RUN.label == label("pbt") == "pbt"
    wide = dataclasses.replace(RUN, variant="wide", seed=4)
    assert wide.label == "pbt (wide)"
    assert in_words([RUN, wide]) == "pbt on quadratic, pbt (wide) on quadratic, each with seed-3, seed-4"


def test_finished_runs_are_those_with_a_summary(tmp_path):
    """Of one scale, in the order of their folders."""
    runs = [dataclasses.replace(RUN, seed=seed) for seed in (1, 0)] + [dataclasses.replace(RUN, scale="paper")]
    for run in [*runs, dataclasses.replace(RUN, seed=2)]:
        (tmp_path / run.folder).mkdir(parents=True)
    for run in runs:
        (tmp_path / run.folder / "summary.json").touch()
    assert names.finished(tmp_path, "smoke") == [tmp_path / runs[1].folder, tmp_path / runs[0].folder]
