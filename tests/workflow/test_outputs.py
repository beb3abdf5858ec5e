"""Where commands write: refused before any work if that cannot be, and filled at once or not at all."""

import os
import socket

import pytest
from refusal import refused
from rows import ROW, csv

from reproductions.suite.cli import main
from reproductions.suite.results.records import load

WRITERS = [
    ["table", "toy", "r", "--out"],
    ["figure", "toy", "r", "--only", "scores", "--out"],
    ["paper", "r", "--out"],
    ["claims", "t.csv", "--out"],
    ["run", "toy", "pbt", "--quiet", "--set", "steps=5", "--out"],
    ["track", "r", "--store"],
]


@pytest.mark.parametrize(
    "out", ["", " ", "file", "file/below", "x" * 300, "new/" + "x" * 300, "/proc/new", "/dev/null"]
)
@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer[0])
def test_a_place_that_cannot_be_written_to_is_refused_before_any_work(writer, out, runs, capsys):
    """On a file, below a file, nothing at all, a name too long, where nobody may write."""
    (runs / "file").write_text("kept")
    (runs / "t.csv").write_text(csv([ROW]))
    refused(capsys, *writer, out)
    assert (runs / "file").read_text() == "kept"


@pytest.mark.parametrize("out", ["", "r", "file/below.csv", "new/" + "x" * 300, "r/summary.json"])
def test_a_table_of_runs_is_not_written_over_a_folder_or_a_run(out, runs, capsys):
    """Nor below a file."""
    (runs / "file").write_text("kept")
    refused(capsys, "runs", "r", "--out", out)
    load([runs / "r"])


def test_what_fails_leaves_what_was_there(runs, monkeypatch):
    """A figure that breaks after others were drawn replaces none of them."""
    assert main(["figure", "toy", "r", "--out", "o"]) == 0
    before = {path: path.read_bytes() for path in (runs / "o").iterdir()}
    from reproductions.toy import analysis

    def breaks(records, measure):
        raise ZeroDivisionError

    monkeypatch.setattr(analysis, "best_so_far", breaks)
    for out in ("o", "new/o"):
        with pytest.raises(ZeroDivisionError):
            main(["figure", "toy", "r", "g", "--out", out])
    assert {path: path.read_bytes() for path in (runs / "o").iterdir()} == before
    assert not (runs / "new").exists()


@pytest.mark.parametrize("what", ["pipe", "socket", "loop", "folder"])
@pytest.mark.parametrize("command", [["runs", "r", "--out"], ["report", "laptop", "--out"]], ids=["runs", "report"])
def test_what_is_no_file_is_not_replaced_by_one(command, what, runs, capsys):
    """A device (which only root can make) is of this kind too."""
    out = runs / "out"
    with socket.socket(socket.AF_UNIX) as server:
        match what:
            case "pipe":
                os.mkfifo(out)
            case "socket":
                server.bind("out")
            case "loop":
                out.symlink_to("out")
            case "folder":
                out.mkdir()
        kind = out.lstat().st_mode
        assert "cannot write to 'out': it is a" in refused(capsys, *command, "out")
        assert out.lstat().st_mode == kind


def test_a_link_stays_and_what_it_leads_to_is_written(runs):
    """Also where nothing stands there yet."""
    (runs / "out").symlink_to("elsewhere/table.csv")
    assert main(["runs", "r", "--out", "out"]) == 0
    assert (runs / "out").is_symlink()
    assert (runs / "elsewhere/table.csv").read_text().startswith("domain,")
