"""Wrong input of every kind is one line with the file, the field and the rule, exit code 2, and leaves nothing behind."""

import copy
import json
import os
import shutil
from pathlib import Path

import pytest
from refusal import refused
from rows import ROW, csv

from reproductions.suite.cli import main
from reproductions.suite.planning.costs import past_costs
from reproductions.suite.publish.reference import keep
from reproductions.suite.results.records import load
from reproductions.suite.study.inputs import LARGEST, InputError, read_bytes
from reproductions.suite.study.registry import ConfigError

FILES = ("summary.json", "lineage.json", "events.parquet")


READERS = [
    ["table", "toy", "r", "g", "--out", "o"],
    ["figure", "toy", "r", "g", "--out", "o"],
    ["runs", "r", "g", "--out", "o/runs.csv"],
    ["paper", "r", "g", "--out", "o"],
    ["track", "r", "g", "--store", "o"],
]


def broken(kind, path):
    """Do to a file what the kind says."""
    data = path.read_bytes()
    contents = {
        "empty": b"",
        "half": data[: len(data) // 2],
        "not UTF-8": b"\xff" + data,
        "nested deeply": b"[" * 100_000,
        "of another kind": b'{"a": [1]}',
        "a list": b"[]",
        "followed by more": data + b"{",
    }
    if kind in contents:
        path.write_bytes(contents[kind])
        return
    path.unlink()
    match kind:
        case "a folder":
            path.mkdir()
        case "a pipe":
            os.mkfifo(path)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a link to itself":
            path.symlink_to(path.name)


KINDS = ["empty", "half", "not UTF-8", "nested deeply", "of another kind", "a list", "followed by more"]
KINDS += ["missing", "a folder", "a pipe", "a device", "a link to itself"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_not_what_it_should_be_is_named(name, kind, runs, capsys):
    """Whichever of a run's files, whatever is wrong with it."""
    broken(kind, runs / "r" / name)
    assert name in refused(capsys, *READERS[2])


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_every_command_that_reads_runs_refuses_a_broken_one(reader, runs, capsys):
    """Before it draws, writes or starts anything."""
    broken("half", runs / "r" / "summary.json")
    assert "r/summary.json: not JSON" in refused(capsys, *reader)


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_runs_in_one_folder_are_told_apart(name, runs, capsys):
    """A summary and a record of different runs, or a lineage of a third: by their digests, and by what they say."""
    shutil.copy(runs / "g" / name, runs / "r" / name)
    assert "is not the file that r/summary.json was written with" in refused(capsys, *READERS[2])
    for folder in ("r", "g"):
        summary = json.loads((runs / folder / "summary.json").read_text())
        del summary["digests"]
        (runs / folder / "summary.json").write_text(json.dumps(summary))
    assert "not of one run" in refused(capsys, *READERS[2])


def places(value, path=()):
    """Every key of nested data, and the first two places of its lists."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


#: What may be anything, or be missing: how the work was done, where, and settings that the record does not tell.
OPEN = {
    "search",
    "task",
    "versions",
    "machine",
    "described",
    "execution",
    "numerics",
    "digests",
    "begun",
    "ended",
}


@pytest.mark.parametrize("name", FILES[:2])
def test_every_field_is_required_and_has_a_type(name, runs):
    """One by one: dropped, and replaced by what it cannot be."""
    path = runs / "r" / name
    whole = json.loads(path.read_text())
    optional = {"digests", "begun", "ended", "stop", "reported"}
    tried = [place for place in places(whole) if not (OPEN | optional) & set(place)]
    assert len(tried) > 30
    for place in tried:
        for value in ("dropped", [None, {}], -1, 10**40, float("nan"), "\ud800"):
            data = copy.deepcopy(whole)
            if value == "dropped":
                del at(data, place[:-1])[place[-1]]
            else:
                at(data, place[:-1])[place[-1]] = value
            path.write_text(json.dumps(data))
            with pytest.raises(ConfigError, match=name):
                load([runs / "r", runs / "g"])


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("method", "a'b", ["method", "a'b", "pattern"]),
        ("problem", "../x", ["problem", "'../x'", "pattern"]),
        ("seed", True, ["seed = True", "integer"]),
        ("seed", 1, ["settings.seed = 0 must be the seed of the run, 1"]),
        ("wall_s", "x", ["wall_s = 'x'", "number"]),
        ("wall_s", float("inf"), ["wall_s = inf", "finite"]),
        ("budget_steps", 41, ["budget_steps = 41", "population x steps = 40"]),
        ("cloned", 3, ["cloned = 3", "record"]),
        ("finished", False, ["finished = False"]),
        ("colour", "red", ["colour", "no such key"]),
        ("final", None, ["final", "record"]),
        ("digests", {"events.parquet": "0" * 64, "lineage.json": "0" * 64}, ["events.parquet", "is not the file"]),
        ("ended", 1.0, ["begun = 2.0 must not be after ended = 1.0"]),
    ],
)
def test_a_summary_that_cannot_be_is_refused_with_the_field_and_the_rule(key, value, words, runs, capsys):
    """By its schema, by itself, or by the record beside it."""
    path = runs / "r" / "summary.json"
    content = json.loads(path.read_text()) | {"begun": 2.0, "ended": 3.0, key: value}
    path.write_text(json.dumps(content))
    line = refused(capsys, *READERS[2])
    assert all(word in line for word in ["r/", *words]), line


def test_measurements_that_came_to_nothing_are_taken_where_they_may_stand(runs):
    """A metric that is not finite, as JSON's readers or as the record's write it."""
    path = runs / "r" / "summary.json"
    content = json.loads(path.read_text())
    for value in (float("nan"), "nan", "-inf"):
        content["final"]["metrics"]["theta0"] = value
        path.write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=r"final\.metrics"):  # the schema takes it, the record says otherwise
            load([runs / "r"])


def test_a_file_that_is_too_large_to_be_ours_is_not_read(tmp_path):
    """Nor waited for."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(InputError, match="at most"):
        read_bytes(tmp_path / "large")


def test_runs_of_two_scales_or_budgets_are_not_compared(runs, capsys):
    """By tables, and by figures where they are of one method."""
    for name, options in {"s": ["--scale", "smoke"], "b": ["--seed", "1"]}.items():
        assert main(["run", "toy", "pbt", "--quiet", "--set", "steps=40", *options, "--out", name]) == 0
    for command in ("table", "figure"):
        assert "must be of one scale, not of laptop, smoke" in refused(capsys, command, "toy", "r", "s", "--out", "o")
        assert "different budgets" in refused(capsys, command, "toy", "r", "b", "--out", "o")
    assert "must be of one scale" in refused(capsys, "paper", "r", "s", "--out", "o")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("task.lr=0.03", "settings.task.lr: the seeds of pbt on quadratic have different settings (seed 0: 'not"),
        ("search.ready=8", "settings.search.ready: "),
        ("search.explore.0.scale=0.2", "settings.search.explore: "),
        ("interval=2", "settings.interval: "),
    ],
)  # fmt: skip
def test_seeds_of_one_name_and_several_settings_are_not_compared(change, words, runs, capsys):
    """They are seeds of two methods; what tells them apart is the name of a variant."""
    assert (
        main(["run", "toy", "pbt", "--quiet", "--set", "steps=20", "--set", change, "--seed", "1", "--out", "b"]) == 0
    )
    for command in (["table", "toy"], ["figure", "toy"], ["paper"]):
        line = refused(capsys, *command, "r", "b", "g", "--out", "o")
        assert words in line
        assert line.endswith("runs that differ need a --variant")
    assert words in refused(capsys, "runs", "r", "b", "--out", "runs.csv")


def test_seeds_may_have_schedules_and_beginnings_of_their_own(runs, capsys):
    """A replay trains on the schedule of the PBT with its seed."""
    run = ["run", "toy", "replay", "--quiet", "--set", "steps=20"]
    assert main([*run, "--lineage", "r/lineage.json", "--out", "a"]) == 0
    shutil.copy("r/lineage.json", "other.json")
    assert main([*run, "--lineage", "other.json", "--seed", "1", "--out", "b"]) == 0
    begun = "search.initial=[{h0: 1.0, h1: 0.5}]"
    assert main(["run", "toy", "pbt", "--quiet", "--set", "steps=20", "--set", begun, "--seed", "1", "--out", "c"]) == 0
    assert main(["table", "toy", "a", "b", "r", "c", "--out", "o"]) == 0


@pytest.mark.parametrize("again", ["r", "./r", "link", "g/../r", "copy"])
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader[0])
def test_a_run_that_is_given_twice_is_refused_by_name(reader, again, runs, capsys):
    """Also by another path, or as a copy: it would count twice."""
    (runs / "link").symlink_to("r")
    shutil.copytree(runs / "r", runs / "copy")
    line = refused(capsys, *(again if argument == "g" else argument for argument in reader))
    assert line.startswith(f"error: {Path(again)}: ")


def test_a_table_that_a_spreadsheet_has_saved_is_read(runs, capsys):
    """It begins with a mark that is part of no column's name."""
    (runs / "t.csv").write_text("\ufeff" + csv([ROW, {**ROW, "method": "grid"}]), encoding="utf-8")
    assert main(["claims", "t.csv"]) == 0


def test_seeds_of_which_none_is_complete_are_told(runs, capsys):
    """Not only where others are: all that was run would be passed over in silence."""
    (runs / "t.csv").write_text(csv([ROW, {**ROW, "method": "grid", "seed": 1}]))
    assert main(["claims", "t.csv"]) == 0
    said = "t.csv: toy: PBT ends above grid search on the toy problem: not judged: "
    assert f"{said}none of 2 seeds has all its runs\n" in capsys.readouterr().out


def test_runs_on_problems_that_their_scale_does_not_have_are_told(runs, capsys):
    """They are left out of every claim where there are others."""
    of_gan = {**ROW, "domain": "gan", "final_reported": 5.0}
    (runs / "t.csv").write_text(csv([{**of_gan, "problem": name} for name in ("fashion_mnist", "cifar10")]))
    assert main(["claims", "t.csv"]) == 0
    said = "t.csv: problem = 'cifar10' of gan is none of the scale laptop, ['fashion_mnist']: its 1 run(s) are left out"
    assert said in capsys.readouterr().out


def test_scores_too_large_to_be_compared_are_as_none(runs, capsys):
    """Their squares are infinite: until now numpy said so, in its own words, and the table could not be read back."""
    scores = {"pbt": (1e308, 1.0), "grid": (-1e308, 0.0)}
    rows = [
        {**ROW, "method": method, "seed": seed, "final_selected": score}
        for method, of_seeds in scores.items()
        for seed, score in enumerate(of_seeds)
    ]
    (runs / "t.csv").write_text(csv(rows))
    assert main(["claims", "t.csv", "--out", "judged"]) == 0
    printed = capsys.readouterr()
    assert "2 run(s) without a value" in printed.out
    assert printed.err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        ("\n", ["is empty"]),
        (b"\xff\xfe", ["not UTF-8"]),
        (csv([ROW])[:-20], ["line 2", "cells"]),
        (csv([ROW]) + '"', ["not CSV"]),
        (csv([ROW]).splitlines()[0] + "\n", ["at least one row"]),
        (csv([ROW, ROW]), ["toy, quadratic, pbt, default, 0, laptop must occur once"]),
        (csv([{**ROW, "colour": "red"}]), ["line 2: colour", "no such key"]),
        (csv([{key: value for key, value in ROW.items() if key != "domain"}]), ["column 'domain' is required"]),
        ("seed,seed\n0,0\n", ["column 'seed' must occur once"]),
        (csv([ROW, {**ROW, "seed": -1}]), ["line 3: seed = '-1'"]),
        (csv([{**ROW, "seed": 1.5}]), ["line 2: seed = '1.5'"]),
        (csv([{**ROW, "final_selected": "high"}]), ["final_selected = 'high'", "number"]),
        (csv([{**ROW, "final_selected": "inf"}]), ["final_selected = 'inf'", "finite"]),
        (csv([{**ROW, "method": "../x"}]), ["method = '../x'"]),
        (csv([{**ROW, "method": None}]), ["method = None"]),
        (csv([{**ROW, "domain": "chess"}]), ["domain = 'chess'", "must be one of", "toy"]),
        (csv([ROW, {**ROW, "problem": "cubic"}]), ["problem = 'cubic' of toy must be one of ['quadratic'"]),
        (csv([{**ROW, "scale": "huge"}]), ["scale = 'huge' of toy", "'laptop'"]),
        (csv([{**ROW, "trends": "[1]"}]), ["trends", "'[1]'", "JSON"]),
        (csv([{**ROW, "trends": "[" * 5000}]), ["trends", "JSON"]),
        (csv([{**ROW, "trends": '{"lr": 1, "lr": -1}'}]), ["trends", "JSON"]),
        (csv([{**ROW, "begun": "2026-13-01T00:00:00Z"}]), ["begun: '2026-13-01T00:00:00Z' must be a date"]),
        ('{"not": "CSV"}', ["t.csv"]),
        (csv([ROW]).replace(",", ";"), ["separated by ',', not by ';'"]),
    ],
)
def test_a_table_of_runs_is_held_against_its_schema(content, words, runs, capsys):
    """By all that read it; the line, the column and the rule are told."""
    (runs / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    for reader in (["claims", "t.csv"], ["paper", "--table", "t.csv", "--out", "o"]):
        line = refused(capsys, *reader)
        assert all(word in line for word in ["t.csv", *words]), line


def test_tables_and_summaries_of_a_study_are_held_against_their_schemas(runs, capsys):
    """By `show`, by `reference` and by what `plan` takes costs from; what was kept stays."""
    place = runs / "results" / "laptop" / "runs" / "toy" / "quadratic" / "pbt" / "default" / "seed-0"
    shutil.copytree(runs / "r", place)
    assert main(["table", "toy", "r", "--out", "results/laptop/tables/toy"]) == 0
    keep("laptop", Path("results"))
    kept = runs / "results" / "reference" / "laptop"
    before = {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()}
    assert main(["show", "laptop"]) == 0

    comparison = runs / "results" / "laptop" / "tables" / "toy" / "comparison.csv"
    good = comparison.read_text()
    comparison.write_text(good.replace("quadratic,pbt,1", "quadratic,pbt,one"))
    assert "seeds = 'one'" in refused(capsys, "show", "laptop")
    assert "seeds = 'one'" in refused(capsys, "reference", "laptop")
    comparison.write_text(good)
    (kept / "provenance.json").write_text('{"toy": 5}')
    assert "provenance.json: toy = 5" in refused(capsys, "reference", "laptop")
    (kept / "provenance.json").write_bytes(before[kept / "provenance.json"])
    broken("half", place / "summary.json")
    assert "summary.json: not JSON" in refused(capsys, "reference", "laptop")
    with pytest.raises(InputError, match=r"summary\.json"):
        past_costs(Path("results"), "laptop")
    assert {path: path.read_bytes() for path in kept.rglob("*") if path.is_file()} == before


def test_a_link_to_itself_is_no_run(runs, capsys):
    """Nor is a folder below it."""
    (runs / "loop").symlink_to("loop")
    for command in (["runs", "loop", "--out", "x"], ["table", "toy", "loop", "--out", "x"]):
        assert "loop" in refused(capsys, *command)


def test_what_no_claim_is_judged_by_is_told(tmp_path, capsys):
    """A method or variant that the suite does not have, as by a slip of the pen; a column that the table does not have."""
    rows = [
        {**ROW, "method": method, "seed": seed, "final_reported": 1.0} for seed in (0, 1) for method in ("pbt", "gird")
    ]
    rows += [{**ROW, "variant": "populaton-10"}]
    (tmp_path / "runs.csv").write_text(csv(rows))
    assert main(["claims", str(tmp_path / "runs.csv")]) == 0
    *_, lacking, method, variant = capsys.readouterr().out.splitlines()
    assert lacking.endswith("runs.csv: there is no column cpu_s, founders, trends: claims about it are not judged")
    assert "method = 'gird' of toy is none of ['pbt', 'explore_only', 'exploit_only', 'grid', 'replay']" in method
    assert method.endswith("nothing is judged by its 2 run(s)")
    assert "variant = 'populaton-10' of toy pbt is none that is configured" in variant
