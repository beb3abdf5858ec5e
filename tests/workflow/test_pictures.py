"""What is published of a study is looked at before anything is written or printed: its figures, its tables."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from refusal import refused

from reproductions.suite.cli import main
from reproductions.suite.publish.pictures import pictures
from reproductions.suite.publish.reference import keep
from reproductions.suite.study.inputs import LARGEST, InputError


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study of two runs: kept, with its tables, its verdicts, and a figure."""
    folder = tmp_path_factory.mktemp("made")
    runs = [folder / f"results/laptop/runs/toy/quadratic/{method}/default/seed-0" for method in ("pbt", "grid")]
    for run in runs:
        assert main(["run", "toy", run.parts[-3], "--quiet", "--set", "steps=20", "--out", str(run)]) == 0
    assert main(["table", "toy", *map(str, runs), "--out", str(folder / "results/laptop/tables/toy")]) == 0
    keep("laptop", folder / "results")
    kept = folder / "results/reference/laptop/runs.csv"
    assert main(["claims", str(kept), "--out", str(folder / "results/laptop/claims")]) == 0
    (folder / "figures/laptop/toy").mkdir(parents=True)
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "figures/laptop/toy/scores.png")
    return folder


@pytest.fixture
def study(made, tmp_path, monkeypatch):
    """A copy of it, which is the current folder."""
    shutil.copytree(made, tmp_path / "study")
    monkeypatch.chdir(tmp_path / "study")
    return tmp_path / "study"


REPORT = ["report", "laptop", "--out", "report.html"]
TRACK = [
    "track",
    "results/laptop/runs/toy/quadratic/pbt/default/seed-0",
    "--store",
    "store",
    "--figures",
    "figures/laptop",
]


def made_wrong(kind, path):
    """A figure that is none."""
    match kind:
        case "a link to nowhere":
            path.symlink_to("nowhere")
        case "a link to itself":
            path.symlink_to(path.name)
        case "a device":
            path.symlink_to("/dev/zero")
        case "a pipe":
            os.mkfifo(path)
        case "a folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("no picture")
        case "too large":
            with path.open("wb") as file:
                file.truncate(LARGEST + 1)


WRONG = ["a link to nowhere", "a link to itself", "a device", "a pipe", "a folder", "empty", "text", "too large"]


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("command", [REPORT, TRACK], ids=["report", "track"])
def test_a_figure_that_is_none_is_named_before_anything_is_written(command, kind, study, capsys):
    """By both that publish figures; `track` would otherwise have written all runs before it looked."""
    made_wrong(kind, study / "figures/laptop/toy/x.png")
    assert "figures/laptop/toy/x.png: " in refused(capsys, *command)


@pytest.mark.parametrize("command", [REPORT, TRACK], ids=["report", "track"])
def test_a_figure_whose_name_no_page_can_show_is_refused(command, study, capsys):
    """Bytes that are not UTF-8, and line ends."""
    figure = study / "figures/laptop/toy/scores.png"
    for name in (b"\xff\xfe.png", b"a\nb.png"):
        odd = figure.with_name(os.fsdecode(name))
        shutil.copy(figure, odd)
        assert "the name of the figure" in refused(capsys, *command)
        odd.unlink()


def test_figures_are_their_files_by_name_and_none_where_there_is_no_folder(study):
    """Other files are no concern; the beginning of a file says its kind."""
    folder = study / "figures/laptop/toy"
    (folder / "a.svg").write_text("<?xml version='1.0'?><svg/>")
    (folder / "notes.txt").write_text("x")
    assert [path.name for path, _ in pictures(folder)] == ["a.svg", "scores.png"]
    assert [path.name for path, _ in pictures(folder, [".png"])] == ["scores.png"]
    assert list(pictures(folder / "nowhere")) == []
    (folder / "b.svg").write_text("<html/>")
    with pytest.raises(InputError, match=r"b\.svg: must be an image of the type image/svg\+xml"):
        list(pictures(folder))


@pytest.mark.parametrize("place", ["nowhere", "file", "file/below", "loop", "x" * 300, "", "a" + "/a" * 3000])
@pytest.mark.parametrize("command", [[*REPORT, "--figures"], [*TRACK[:-1]]], ids=["report", "track"])
def test_a_folder_of_figures_that_is_none_is_refused(command, place, study, capsys):
    """A report without the figures that were asked for would look whole."""
    (study / "file").touch()
    (study / "loop").symlink_to("loop")
    assert "argument --figures: " in refused(capsys, *command, place)


@pytest.mark.parametrize("kind", ["text", "a link to nowhere", "a pipe"])
def test_what_stands_where_the_figures_of_a_study_should_be_is_refused(kind, study, capsys):
    """Where there is nothing, a report has none; also for one experiment."""
    for place in ("figures/laptop/toy", "figures/laptop"):
        shutil.rmtree(place)
        made_wrong(kind, study / place)
        assert f"{place}: " in refused(capsys, *REPORT)
        (study / place).unlink()
        assert main(REPORT) == 0
        Path("report.html").unlink()
        (study / place).mkdir()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"toy": [[{"x": "\\ud800"}, {}]]}', r"'\ud800' is no character"),
        ('{"toy": [[{}, {"\\udfff": 1}]]}', r"'\udfff' is no character"),
        ('{"toy": [], "toy": []}', "the key 'toy' must occur once"),
        (None, "provenance.json': it must be a regular file"),
    ],
)
def test_a_provenance_that_no_page_can_show_is_refused(content, words, study, capsys):
    """A whole character of two halves is one."""
    provenance = study / "results/reference/laptop/provenance.json"
    provenance.write_text('{"toy": [[{"x": "\\ud83d\\ude00"}, {}]]}')
    assert main(REPORT) == 0
    assert "\U0001f600" in Path("report.html").read_text(encoding="utf-8")
    if content is None:
        provenance.unlink()
        provenance.symlink_to("/dev/zero")
    else:
        provenance.write_text(content)
    assert "provenance.json: " in refused(capsys, *REPORT)
    assert words in refused(capsys, "reference", "laptop")


@pytest.mark.parametrize("change", ["a cell", "cut off", "a link to nowhere", "empty"])
@pytest.mark.parametrize("name", ["claims/claims.csv", "tables/toy/comparison.csv"])
def test_what_is_shown_is_read_before_a_line_is_printed(name, change, study, capsys):
    """The verdicts stand below the tables."""
    path = study / "results/laptop" / name
    table = pd.read_csv(path)
    assert main(["show", "laptop"]) == 0
    match change:
        case "a cell":
            table.assign(seeds="many").to_csv(path, index=False)
        case "cut off":
            path.write_bytes(path.read_bytes()[:-30])
        case "empty":
            table.head(0).to_csv(path, index=False)
        case _:
            path.unlink()
            path.symlink_to("nowhere")
    assert f"results/laptop/{name}" in refused(capsys, "show", "laptop")


@pytest.mark.parametrize("name", ["x" * 300, "a..b", "-x", "a/b", "a b", ""])
@pytest.mark.parametrize("command", ["show", "reference", "restore", "report"])
def test_a_study_that_no_folder_can_be_called_is_refused_with_the_rule(command, name, study, capsys):
    """Also one that is too long for any folder."""
    line = refused(capsys, command, *(["--out", "o"] if command == "report" else []), "--", name)
    assert "must be the name of a folder below results/" in line
