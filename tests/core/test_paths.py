"""Places are given as paths or as text, as a shell has them."""

from pathlib import Path

import pytest

from baselines import replay
from pbt_core import PBT, Plan, Run, Serial
from pbt_core.events import read
from pbt_core.testing import Hill

METHOD, PLAN = PBT(ready=10), Plan(population=2, steps=20, interval=10)


def test_text_names_places_wherever_paths_do(tmp_path):
    """A run, what is exported of it, and what is made of that."""
    run = Serial().run(Hill(), METHOD, PLAN, str(tmp_path / "run"))
    run.export(str(tmp_path / "export"))
    run.lineage.write(str(tmp_path / "lineage.json"))
    run.record.write_parquet(str(tmp_path / "events.parquet"))
    assert Run.open(str(tmp_path / "export")).events == Run(str(tmp_path / "run")).events == run.events
    assert read(str(tmp_path / "events.parquet")) == run.events
    assert replay(str(tmp_path / "lineage.json")) == replay(tmp_path / "export" / "lineage.json")


def test_the_tilde_is_the_home_and_not_a_folder_of_that_name(tmp_path, monkeypatch):
    """In text and in paths."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run = Serial().run(Hill(), METHOD, PLAN, "~/runs/first")
    assert run.directory == tmp_path / "home" / "runs" / "first"
    assert Run.open("~/runs/first").events == Serial().run(Hill(), METHOD, PLAN, Path("~/runs/first")).events
    assert [path.name for path in tmp_path.iterdir()] == ["home"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "'' must be the path"),
        (None, "None must be the path"),
        ("~nobody-of-this-name/x", "there is no such home"),
        ("x" * 5000, "must be shorter: File name too long"),
    ],
    ids=["empty", "none", "no home", "too long"],
)
def test_what_names_no_place_is_refused_before_anything_is_written(path, message, tmp_path, monkeypatch):
    """An empty text would be the working directory, where runs would be mixed with whatever is there."""
    monkeypatch.chdir(tmp_path)
    for use in (lambda: Serial().run(Hill(), METHOD, PLAN, path), lambda: Run.open(path)):
        with pytest.raises(ValueError, match=message):
            use()
    assert not list(tmp_path.iterdir())
