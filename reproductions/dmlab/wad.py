"""Levels of Doom's engine from floor plans drawn with letters: maps in UDMF, in an archive (a WAD).

The engine builds the nodes of a map when it loads it, and reads actors in DECORATE from the archive; an error in that text
ends the engine with a segmentation fault. Formats: "UDMF specification 1.1" and the ZDoom wiki.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

WALL, START = "*", "P"
PLAYER_ONE = 1
_HEADER, _ENTRY = struct.Struct("<4sii"), struct.Struct("<ii8s")


@dataclass(frozen=True)
class Plan:
    """What one map holds, north up.

    rows: a letter a cell: ``*`` wall, ``P`` where the player starts, those of ``Style.things`` an item, else floor. regions:
    as many letters; the walls around cells of one letter look alike. angle: of the player at the start, in degrees, zero
    looking east, counter-clockwise. ValueError unless rows and regions have one shape and there is one start.
    """

    rows: tuple[str, ...]
    regions: tuple[str, ...]
    angle: int

    def __post_init__(self) -> None:
        if [len(row) for row in self.rows] != [len(row) for row in self.regions] or len(set(map(len, self.rows))) != 1:
            raise ValueError("rows and regions must be rectangles of one shape")
        if (starts := "".join(self.rows).count(START)) != 1:
            raise ValueError(f"a plan must have one start {START!r}, not {starts}")

    def cells(self) -> Iterable[tuple[int, int, str]]:
        """Row, column and letter of every cell that is no wall."""
        for y, row in enumerate(self.rows):
            for x, letter in enumerate(row):
                if letter != WALL:
                    yield y, x, letter


@dataclass(frozen=True)
class Style:
    """How plans become maps.

    cell: side of a cell in map units (the player is 32 wide, his eyes are 41 above the floor). walls: texture of each
    region. floor, ceiling: flats. height: of the ceiling. light: 0 to 255. things: number of the actor for each letter.
    """

    cell: int
    walls: Mapping[str, str]
    floor: str
    ceiling: str
    height: int
    light: int
    things: Mapping[str, int]


def archive(lumps: Iterable[tuple[str, bytes]]) -> bytes:
    """A WAD of named lumps in their order; ValueError for a name that is no upper-case ASCII of 1 to 8 letters."""
    body, directory = bytearray(), bytearray()
    count = 0
    for name, content in lumps:
        if not (1 <= len(name) <= 8 and name.isascii() and name == name.upper()):
            raise ValueError(f"lump {name!r} must have 1 to 8 upper-case letters")
        directory += _ENTRY.pack(_HEADER.size + len(body), len(content), name.encode())
        body += content
        count += 1
    return _HEADER.pack(b"PWAD", count, _HEADER.size + len(body)) + bytes(body) + bytes(directory)


def level(plans: Iterable[Plan], style: Style, actors: str) -> bytes:
    """A WAD with a map for each plan, MAP01 and on, and the actors that DECORATE describes."""
    lumps = [("DECORATE", actors.encode())]
    for number, plan in enumerate(plans, start=1):
        lumps += [(map_name(number), b""), ("TEXTMAP", textmap(plan, style).encode()), ("ENDMAP", b"")]
    return archive(lumps)


def map_name(number: int) -> str:
    """Of the map with this number, from one; ValueError above 99, for which there are no names."""
    if not 1 <= number <= 99:
        raise ValueError(f"map {number} must be one of 1 to 99")
    return f"MAP{number:02d}"


def textmap(plan: Plan, style: Style) -> str:
    """The plan in UDMF: one sector, a wall along every side of a cell beside which there is none, an actor in cells."""
    vertices: dict[tuple[int, int], int] = {}
    blocks = ['namespace = "zdoom";']
    walls = list(_walls(plan))
    for begin, end, _ in walls:
        for corner in (begin, end):
            vertices.setdefault(corner, len(vertices))
    blocks += [_block("vertex", x=float(x * style.cell), y=float(-y * style.cell)) for y, x in vertices]
    for number, (begin, end, region) in enumerate(walls):
        blocks.append(_block("sidedef", sector=0, texturemiddle=style.walls[region]))
        blocks.append(_block("linedef", v1=vertices[begin], v2=vertices[end], sidefront=number, blocking=True))
    blocks.append(
        _block(
            "sector",
            heightfloor=0,
            heightceiling=style.height,
            texturefloor=style.floor,
            textureceiling=style.ceiling,
            lightlevel=style.light,
        )
    )
    for y, x, letter in plan.cells():
        if letter == START:
            blocks.append(_thing(y, x, PLAYER_ONE, plan.angle, style.cell))
        elif letter in style.things:
            blocks.append(_thing(y, x, style.things[letter], 0, style.cell))
    return "\n".join(blocks) + "\n"


def _walls(plan: Plan) -> Iterable[tuple[tuple[int, int], tuple[int, int], str]]:
    """Corners (row, column) between which a wall goes, its cell on the right hand, and the region of that cell."""
    inside = {(y, x) for y, x, _ in plan.cells()}
    for y, x in sorted(inside):
        corners = [(y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)]  # clockwise from the north-west
        beyond = [(y - 1, x), (y, x + 1), (y + 1, x), (y, x - 1)]  # north, east, south, west
        for side, neighbour in enumerate(beyond):
            if neighbour not in inside:
                yield corners[side], corners[(side + 1) % 4], plan.regions[y][x]


def _thing(y: int, x: int, number: int, angle: int, cell: int) -> str:
    everywhere = {f"skill{skill}": True for skill in range(1, 6)} | {"single": True}
    return _block("thing", x=(x + 0.5) * cell, y=-(y + 0.5) * cell, angle=angle, type=number, **everywhere)


def _block(kind: str, **values: int | float | bool | str) -> str:
    """A block of UDMF."""
    fields = "".join(f" {key} = {_literal(value)};" for key, value in values.items())
    return f"{kind} {{{fields} }}"


def _literal(value: int | float | bool | str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
