"""What is known of DeepMind Lab's levels: the paper's, and those with published scores."""

from __future__ import annotations

import re
from pathlib import Path

from reproductions.dmlab import sweep
from reproductions.dmlab.levels_of_the_paper import EXACT, PAPER_LEVELS, script
from reproductions.dmlab.sweep import MEASURE, PROBLEMS, SCALES


def test_ten_of_the_fifteen_levels_are_public() -> None:
    """By their own names, or one without its number; for the others the nearest is named."""
    assert len(PAPER_LEVELS) == 15
    public = {name: level.script for name, level in PAPER_LEVELS.items() if level.script}
    assert len(public) == 10
    assert {name for name, known in public.items() if known != name} == {"stairway_to_melon_01"}
    assert all(level.nearest for level in PAPER_LEVELS.values() if level.script is None)
    assert script("rooms_watermaze") == "contributed/dmlab30/rooms_watermaze"
    assert script("demos/random_maze") == "demos/random_maze"


def test_levels_with_published_scores_are_problems_that_are_reported_human_normalised() -> None:
    """Whether the level runs from the public sources or is one of the paper's."""
    anchor = MEASURE.anchors["lab_rooms_watermaze"]
    assert PROBLEMS["lab_rooms_watermaze"]["level"] == "rooms_watermaze"
    assert (anchor.normalised(4.065), anchor.normalised(54.0)) == (0, 100)
    assert MEASURE.anchors.keys() <= PROBLEMS.keys()
    assert not MEASURE.anchors.keys() & set(SCALES["paper"].problems)


def test_the_readme_tells_of_the_papers_levels_what_is_known_of_them() -> None:
    """The public script of each, or the nearest, and whether a fresh process repeats it."""
    known = {True: "yes", False: "no", None: "not looked at"}
    readme = Path(sweep.__file__).with_name("README.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in readme.splitlines() if line.startswith("| `")]
    told = {}
    for names, script_cell, exact in (row for row in rows if len(row) == 3):
        first, *more = re.findall("`([^`]+)`", names)
        for name in (first, *(first[: -len(ending)] + ending for ending in more)):
            told[name] = script_cell, exact
    assert told.keys() >= PAPER_LEVELS.keys()
    for name, level in PAPER_LEVELS.items():
        script_cell, exact = told[name]
        if level.script is None:
            assert script_cell == f"none; nearest: `{level.nearest}`"
        else:
            assert script_cell == ("the same" if level.script == name else f"`{level.script}`")
            assert exact == known[EXACT.get(level.script)]
