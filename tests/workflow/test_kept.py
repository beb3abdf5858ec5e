"""What a study leaves for the repository: packed records, and the report."""

import json
import lzma
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from pbt_core.schema import decode, dump
from reproductions.suite.cli import main
from reproductions.suite.publish import packing
from reproductions.suite.publish.columns import from_columns, to_columns
from reproductions.suite.publish.reference import keep, packed, restore
from reproductions.suite.publish.report import report
from reproductions.suite.results import run_table, traits
from reproductions.suite.results import tables as tables_of
from reproductions.suite.results.records import load, outcomes
from reproductions.suite.study.inputs import InputError
from reproductions.suite.study.registry import ConfigError

REFERENCE = Path(__file__).parent.parent.parent / "results" / "reference" / "laptop"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two seeds each of PBT and the grid on the toy, below a results folder."""
    results = tmp_path_factory.mktemp("results")
    for method in ("pbt", "grid"):
        for seed in ("0", "1"):
            out = results / "laptop" / "runs" / "toy" / "quadratic" / method / "default" / f"seed-{seed}"
            assert main(["run", "toy", method, "--seed", seed, "--quiet", "--out", str(out)]) == 0
    return sorted(results.glob("laptop/runs/*/*/*/*/*"))


def test_packed_runs_come_back_with_all_that_results_are_made_from(folders, tmp_path):
    """Events but for checksums of checkpoints, lineages, summaries; equal records make equal bytes."""
    records, path = load(folders), tmp_path / "toy.jsonl.xz"
    packing.pack(records, path)
    again = load(tmp_path / "results" / name.folder for name in packing.unpack(path, tmp_path / "results"))
    for before, after in zip(records, again, strict=True):
        assert before.name == after.name
        assert before.evaluations.equals(after.evaluations)
        assert before.lineage.schedule() == after.lineage.schedule()
        assert {**before.summary, "digests": None} == {**after.summary, "digests": None}
    restored = again[0].folder / "events.parquet"
    whole = restored.read_bytes()
    restored.write_bytes(whole[:-10])
    with pytest.raises(ConfigError, match=r"events\.parquet: is not the file that .*summary\.json was written with"):
        outcomes([again[0].folder])
    restored.write_bytes(whole)
    assert run_table.runs(records).equals(run_table.runs(again))
    before = path.read_bytes()
    packing.pack(again, path)
    assert path.read_bytes() == before
    packing.pack(again[::-1], tmp_path / "again.jsonl.xz")
    assert len(path.read_bytes()) < sum(p.stat().st_size for f in folders for p in f.glob("events.parquet"))


def test_columns_hold_events_exactly(folders):
    """Types, what is not finite, choices, hyperparameters that are not those that were given, 32 bits and 64."""
    hyperparameters = [
        {"lr": 1.0, "layers": 1, "shape": (1, (2.0, "a"))},
        {"lr": 1, "layers": 1, "shape": (1, (2.0, "a"))},
    ]
    scores = [0.1, float(np.float32(0.1)), float("inf"), float("nan"), 1e300, -0.0]
    events = [{"event": "joined", "member": 0, "step": 0, "hyperparameters": hyperparameters[0]}]
    for step, score in enumerate(scores):
        for values in hyperparameters:
            narrow = {"loss": float(np.float32(0.3)), "norm": score}
            metrics = narrow if step % 2 else {}
            events.append({"event": "evaluated", "member": 0, "step": step, "score": score, "held_out": None,
                           "metrics": metrics, "hyperparameters": values})  # fmt: skip
    for record in (events, *(record.events for record in load(folders))):
        columns = json.loads(dump(to_columns(record)))
        assert list(map(repr, map(decode, from_columns(columns)))) == list(map(repr, record))
    assert "0.30000001" in dump(to_columns(events[2:3] + events[3:4]))
    evaluations = to_columns(load(folders)[0].events)["fields"]["evaluated"]["object"]
    assert set(evaluations["hyperparameters"]) == {None}


def test_runs_that_were_packed_before_stay_as_they_were(folders, tmp_path):
    """With the checksums of their original files; a run that was made again takes the place of the former."""
    records, path = load(folders), tmp_path / "toy.jsonl.xz"
    packing.pack(records[:1], path)
    ((_, former),) = packing.contents(path)
    packing.pack(records[1:], path)
    heads = {(head["summary"]["method"], head["summary"]["seed"]): head for head, _ in packing.contents(path)}
    assert len(heads) == len(folders)
    for record in records:
        assert heads[record.method, record.seed]["original"] == record.summary["digests"]
    alone = tmp_path / "alone.jsonl.xz"
    packing.pack(records, alone)
    assert path.read_bytes() == alone.read_bytes()
    packing.pack(records[:1], path)
    assert path.read_bytes() == alone.read_bytes()
    assert former in [events for _, events in packing.contents(path)]


def test_illustrations_are_kept_of_the_first_seed_of_each_method(folders, tmp_path):
    """Whichever seed is packed first."""
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.parent.parent.name / folder.name)
        save_file({"x": np.zeros(1)}, tmp_path / folder.parent.parent.name / folder.name / "illustration.safetensors")
    path = tmp_path / "toy.jsonl.xz"
    for seed in (1, 0):
        packing.pack(load(sorted(tmp_path.glob(f"*/seed-{seed}"))), path)
    shown = {head["summary"]["seed"]: "illustration" in head for head, _ in packing.contents(path)}
    assert shown == {0: True, 1: False}
    packing.unpack(path, tmp_path / "results")
    assert len(list((tmp_path / "results").rglob("illustration.safetensors"))) == 2


def test_a_packed_file_that_is_damaged_is_refused_in_one_line_and_writes_no_run(folders, tmp_path):
    """Cut off, not compressed, not JSON, or with an event that is none."""
    path = tmp_path / "toy.jsonl.xz"
    packing.pack(load(folders[:1]), path)
    whole = path.read_bytes()
    text = lzma.decompress(whole).decode()
    for broken in (
        whole[: len(whole) // 2],
        b"runs",
        lzma.compress(b"{}\n"),
        lzma.compress(text.replace('"evaluated"', '"evaluat"', 1).encode()),
        lzma.compress("".join(text.splitlines(keepends=True)[:-1]).encode()),
        lzma.compress(text.replace('"format":2', '"format":1', 1).encode()),
        lzma.compress(text.replace('"order":', '"orders":', 1).encode()),
    ):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"toy\.jsonl\.xz: "):
            packing.unpack(path, tmp_path / "results")
        assert not list(tmp_path.rglob("summary.json"))


@pytest.fixture
def archive(folders, tmp_path):
    """The file that keeps two of the runs, in a results folder of its own; and its lines."""
    path = packed(tmp_path / "results" / "reference" / "laptop", "toy")
    path.parent.mkdir(parents=True)
    save_file({"x": np.zeros(1)}, folders[0] / "illustration.safetensors")
    packing.pack(load(folders[:2]), path)
    (folders[0] / "illustration.safetensors").unlink()
    return path, lzma.decompress(path.read_bytes()).decode().splitlines()


def renamed(line, **parts):
    """The head of a run by another name."""
    head = json.loads(line)
    head["summary"] |= parts
    head["summary"]["settings"] |= parts
    return json.dumps(head)


def illustrated(line, value):
    return json.dumps(json.loads(line) | {"illustration": value})


DAMAGES = {
    "another scale": (
        lambda a: [renamed(a[0], scale="paper"), *a[1:]],
        "of scale laptop and of its domain, not paper/",
    ),
    "another domain": (lambda a: [renamed(a[0], domain="gan"), *a[1:]], "not laptop/runs/gan/"),
    "a way out": (lambda a: [renamed(a[0], problem=".."), *a[1:]], "problem = '..'"),
    "another seed's": (lambda a: [renamed(a[0], seed=7), *a[1:]], "not of one run"),
    "swapped": (lambda a: [a[0], a[3], a[2], a[1]], "not of one run"),
    "twice": (lambda a: a + a[:2], "must occur once"),
    "half": (lambda a: a[:3], "seed-1: not JSON"),
    "a blank line": (lambda a: [*a[:2], "", *a[2:]], "not JSON"),
    "a list": (lambda a: ["[]", *a[1:]], "has format None"),
    "deep": (lambda a: [a[0], "[" * 100_000, *a[2:]], "nested too deeply"),
    "half a character": (lambda a: [a[0], a[1].replace('"h0"', '"\\ud800"'), *a[2:]], r"'\ud800' is no character"),
    "no fields": (lambda a: [a[0], '{"order": ["joined"], "fields": {"joined": []}}', *a[2:]], "holds no events"),
    "a number for a picture": (lambda a: [illustrated(a[0], 5), *a[1:]], "illustration = 5"),
    "no base64": (lambda a: [illustrated(a[0], "aGVsbG8"), *a[1:]], "illustration: 'aGVsbG8' must be base64"),
    "a letter of no base64": (lambda a: [illustrated(a[0], "\u00e9"), *a[1:]], "must be base64"),
    "no picture": (lambda a: [illustrated(a[0], "aGVsbG8="), *a[1:]], "illustration.safetensors: holds no arrays"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_belongs_to_no_run_of_the_study_is_refused_and_nothing_is_restored(damage, archive, monkeypatch, capsys):
    """Also where a whole run comes before it; the file and the run are named."""
    path, lines = archive
    change, words = DAMAGES[damage]
    path.write_bytes(lzma.compress("\n".join(change(lines)).encode() + b"\n"))
    monkeypatch.chdir(path.parents[4])
    before = sorted(Path().rglob("*"))
    assert main(["restore", "laptop"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: results/reference/laptop/records/toy.jsonl.xz")
    assert words in line
    assert ".new-" not in line
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("kind", ["pipe", "device", "loop", "folder", "nowhere"])
def test_what_is_no_file_is_no_archive_and_is_not_waited_for(kind, archive):
    """A pipe without a writer would be."""
    path, _ = archive
    path.unlink()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to({"device": "/dev/zero", "loop": path.name, "nowhere": "nowhere"}[kind])
    with pytest.raises(InputError, match=r"toy\.jsonl\.xz: "):
        restore("laptop", path.parents[3])


def test_a_restoring_that_is_killed_leaves_no_run_and_one_that_comes_after_all(archive):
    """At any moment: before the first move there is nothing in place, and each move is of a whole run."""
    path, _ = archive
    results = path.parents[3]
    killing = (
        "import os, sys; from pathlib import Path; from reproductions.suite.publish import reference\n"
        "moved = []; move = os.replace\n"
        "def replace(a, b):\n    if Path(b).name.startswith('seed-'):\n        moved.append(b)\n"
        "        if len(moved) == 2: os.kill(os.getpid(), 9)\n    move(a, b)\n"
        "os.replace = replace; reference.restore('laptop', Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", killing, str(results)], check=False).returncode == -9
    assert len(load(sorted(results.glob("laptop/runs/*/*/*/*/seed-*")))) == 1
    assert len(load(restore("laptop", results))) == 2


def test_an_unfinished_run_is_neither_mixed_with_the_kept_one_nor_replaced(archive):
    """Somebody may be at work there; an empty folder, which Snakemake makes, is no run."""
    path, lines = archive
    results = path.parents[3]
    folder = results / "laptop" / "runs" / "toy" / "quadratic" / "grid" / "default" / "seed-0"
    (folder / "state").mkdir(parents=True)
    with pytest.raises(ConfigError, match="seed-0 holds an unfinished run: finish it, or move it away"):
        restore("laptop", results)
    assert [path.name for path in folder.iterdir()] == ["state"]
    (folder / "state").rmdir()
    assert len(load(restore("laptop", results))) == len(lines) / 2


def test_restoring_leaves_runs_that_are_there_and_says_where_nothing_is_kept(folders, tmp_path):
    """A run made here is worth more than a kept one."""
    kept = tmp_path / "reference" / "laptop"
    packed(kept, "toy").parent.mkdir(parents=True)
    packing.pack(load(folders), packed(kept, "toy"))
    mine = tmp_path / load(folders[:1])[0].name.folder
    shutil.copytree(folders[0], mine)
    before = (mine / "summary.json").read_bytes()
    restored = restore("laptop", tmp_path)
    assert len(restored) == len(folders)
    assert [folder for folder, written in restored.items() if not written] == [mine]
    assert (mine / "summary.json").read_bytes() == before
    assert not any(restore("laptop", tmp_path).values())
    with pytest.raises(ConfigError, match="has no kept records"):
        restore("paper", tmp_path)


def test_the_common_ancestor_of_the_final_members_is_where_their_lineages_part(folders):
    """Workers of the grid share nothing; those of PBT as much as their schedules do."""
    for record in load(folders):
        first, second = (record.lineage.schedule(member) for member in record.lineage.members)
        shared = [
            a for a, b in zip(first, second, strict=False) if (a.member, a.member_step) == (b.member, b.member_step)
        ]
        longest = max(first[-1].stop, second[-1].stop)
        assert traits.common_ancestor(record) == pytest.approx(len(shared) and shared[-1].stop / longest, abs=1e-4)
        assert (traits.common_ancestor(record) == 0) == (record.method == "grid")


class Page(HTMLParser):
    """The pictures, links and words of a page."""

    def __init__(self):
        super().__init__()
        self.addresses, self.words = [], ""

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words += data


def test_the_report_needs_nothing_beside_itself_and_takes_its_numbers_from_the_tables(folders, tmp_path, monkeypatch):
    """Pictures are in it; every verdict, score and cost is that of the kept tables."""
    results, figures = tmp_path / "results", tmp_path / "figures"
    for folder in folders:
        shutil.copytree(folder, results / Path(*folder.parts[-7:]))
    tables = results / "laptop" / "tables" / "toy"
    assert main(["table", "toy", *map(str, folders), "--out", str(tables)]) == 0
    (figures / "toy").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(figures / "toy" / "scores.png")
    kept = keep("laptop", results)
    page = Page()
    page.feed(report("laptop", kept, figures))
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert sum(address.startswith("data:") for address in page.addresses) == 1
    frame = run_table.read_runs(kept / "runs.csv")
    assert f"{len(frame)} runs in 1 domains" in page.words
    (row,) = [row for row in tables_of.read(kept / "claims.csv").to_dict("records") if row["domain"] == "toy"]
    assert f"{row['ours']:.3f}" in page.words
    assert row["fixed"] in page.words
    with pytest.raises(ConfigError, match="has no table of runs"):
        report("paper", tmp_path, figures)


def test_the_report_of_the_kept_study_says_what_has_no_interval_and_shows_no_nan(tmp_path):
    """One seed of one method is enough for that."""
    page = Page()
    page.feed(report("laptop", REFERENCE, tmp_path))
    assert "PBT less random search: " in page.words
    assert not re.search(r"\bnan\b", page.words, re.IGNORECASE)


@pytest.mark.parametrize("command", ["claims", "power"])
def test_what_is_printed_of_the_kept_study_shows_no_nan(command, capsys):
    """Where a lone seed, or a few of a share, tell nothing, words say so."""
    assert main([command, str(REFERENCE / "runs.csv")]) == 0
    printed = capsys.readouterr().out
    assert "dmlab" in printed
    assert not re.search(r"\bnan\b", printed, re.IGNORECASE)
