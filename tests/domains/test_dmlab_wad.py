"""Archives and maps as the engine reads them, and the floor plans that they are made of; no engine is needed."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from collections import Counter

import pytest

from reproductions.dmlab import plans, wad
from reproductions.dmlab.levels import ACTORS, LEVELS, THINGS

ROOM = wad.Plan(("****", "*P *", "*A**", "****"), ("....",) * 4, angle=90)
STYLE = wad.Style(64, {".": "BRICK1"}, "FLOOR0_1", "CEIL3_5", 128, 200, {"A": 7})


def lumps(archive: bytes) -> list[tuple[str, bytes]]:
    """What a WAD holds, read as its format says: a header, contents, and a directory at the end."""
    kind, count, at = struct.unpack_from("<4sii", archive)
    assert kind == b"PWAD"
    assert at + 16 * count == len(archive)
    entries = [struct.unpack_from("<ii8s", archive, at + 16 * number) for number in range(count)]
    return [(name.rstrip(b"\0").decode(), archive[offset : offset + size]) for offset, size, name in entries]


def blocks(textmap: str, kind: str) -> list[dict[str, str]]:
    return [dict(re.findall(r"(\w+) = ([^;]+);", body)) for body in re.findall(rf"^{kind} {{(.*)}}$", textmap, re.M)]


def test_an_archive_holds_its_lumps_in_their_order() -> None:
    """Names of up to eight letters, with or without content, repeated or not."""
    content = [("MAP01", b""), ("TEXTMAP", b"one"), ("ENDMAP", b""), ("TEXTMAP", b"two"), ("EIGHTLET", b"\0")]
    assert lumps(wad.archive(content)) == content


@pytest.mark.parametrize("name", ["", "lower", "NINELETTE", "ÄPFEL"])
def test_names_that_the_engine_would_not_find_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must have 1 to 8 upper-case letters"):
        wad.archive([(name, b"")])


def test_a_level_has_a_map_for_each_plan_and_its_actors_once() -> None:
    names = [name for name, _ in lumps(wad.level([ROOM, ROOM], STYLE, ACTORS))]
    assert names == ["DECORATE", "MAP01", "TEXTMAP", "ENDMAP", "MAP02", "TEXTMAP", "ENDMAP"]
    with pytest.raises(ValueError, match="map 100 must be one of 1 to 99"):
        wad.map_name(100)


def test_walls_close_around_the_floor_which_is_on_their_right() -> None:
    """Of three cells in an L: eight sides; as many walls end at a corner as begin there."""
    textmap = wad.textmap(ROOM, STYLE)
    corners = [(float(block["x"]), float(block["y"])) for block in blocks(textmap, "vertex")]
    walls = [(corners[int(block["v1"])], corners[int(block["v2"])]) for block in blocks(textmap, "linedef")]
    assert len(walls) == len(blocks(textmap, "sidedef")) == 8
    assert Counter(begin for begin, _ in walls) == Counter(end for _, end in walls)
    floor = {(x, y) for y, x, _ in ROOM.cells()}
    for (x1, y1), (x2, y2) in walls:
        right = ((x1 + x2 + y2 - y1) / 2, (y1 + y2 - x2 + x1) / 2)  # half a cell from the middle of the wall
        assert (right[0] // 64, -right[1] // 64) in floor


def test_things_lie_in_the_middle_of_their_cells() -> None:
    """The start looks where the plan says."""
    start, apple = blocks(wad.textmap(ROOM, STYLE), "thing")
    assert (start["type"], start["x"], start["y"], start["angle"]) == ("1", "96.0", "-96.0", "90")
    assert (apple["type"], apple["x"], apple["y"]) == ("7", "96.0", "-160.0")


def test_plans_that_make_no_map_are_refused() -> None:
    with pytest.raises(ValueError, match="rectangles of one shape"):
        wad.Plan(("P*", "*"), ("..", "."), 0)
    with pytest.raises(ValueError, match="rectangles of one shape"):
        wad.Plan(("P*", "**"), ("..",), 0)
    for rows in (("**",), ("PP",)):
        with pytest.raises(ValueError, match="must have one start 'P', not"):
            wad.Plan(rows, ("..",), 0)


@pytest.mark.parametrize(
    ("level", "held"),
    [
        ("seekavoid_arena", {plans.APPLE: 14, plans.LEMON: 10}),
        ("nav_maze_static", {plans.APPLE: 5, plans.GOAL: 1}),
        ("nav_maze_random_goal", {plans.APPLE: 5, plans.GOAL: 1}),
    ],
)
def test_everything_in_a_level_can_be_walked_to_and_every_region_has_its_walls(
    level: str, held: dict[str, int]
) -> None:
    """From the start of each of its 32 maps."""
    pytest.importorskip("labmaze", reason="labmaze is not installed: pip install -c constraints.txt -e '.[dmlab]'")
    layout = LEVELS[level].layout
    assert layout
    drawn = layout.plans()
    assert len(drawn) == 32
    for plan in drawn:
        letters = {(y, x): letter for y, x, letter in plan.cells()}
        reached = [next(cell for cell, letter in letters.items() if letter == wad.START)]
        for y, x in reached:
            beside = ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1))
            reached += [cell for cell in beside if cell in letters and cell not in reached]
        assert Counter(letters[cell] for cell in reached if letters[cell] in THINGS) == held
        assert {plan.regions[y][x] for y, x in letters} <= layout.style.walls.keys()


def test_levels_are_the_same_in_another_process() -> None:
    """Else workers would play different ones."""
    pytest.importorskip("labmaze", reason="labmaze is not installed: pip install -c constraints.txt -e '.[dmlab]'")
    program = """
import hashlib
from reproductions.dmlab import wad
from reproductions.dmlab.levels import ACTORS, LEVELS
layouts = [level.layout for level in LEVELS.values() if level.layout]
print(*(hashlib.sha256(wad.level(layout.plans(), layout.style, ACTORS)).hexdigest() for layout in layouts))
"""
    seen = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    (digests,) = seen
    assert len(set(digests.split())) == 3
