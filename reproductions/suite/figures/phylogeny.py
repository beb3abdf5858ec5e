"""The family tree of a population's weights as lines on paper: which intervals form one line, and at what height.

Lines fork where weights were copied: the parent trains on and so does its child. The one with more final members among its
descendants goes straight on, be it the parent or the child.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reproductions.suite.figures.branches import Branch, ancestors, kept_until

#: Height of a line that died out; one that ends in a final member has 1.
EXTINCT = 0.4
Node = tuple[int, int]  # the branch, and which of its intervals


@dataclass(frozen=True)
class Piece:
    """An interval of training: its begin and end in steps, and the score at its end.

    ``kept``: a final member, or the best, descends from it. ``best``: the best does. ``broke``: the member diverged in it, or
    failed in the one that was to follow.
    """

    begin: float
    end: float
    score: float
    kept: bool
    best: bool
    broke: bool


@dataclass
class Line:
    """Intervals that are drawn as one line. ``parent`` is the line it forks from, at ``begin``, with the fork's ``score``.

    ``last`` is the branch it ends with; ``row`` its height.
    """

    parent: int | None
    begin: float
    score: float
    last: int
    row: float = 0.0
    pieces: list[Piece] = field(default_factory=list)

    @property
    def end(self) -> float:
        return self.pieces[-1].end if self.pieces else self.begin


def lines(tree: Sequence[Branch], best: tuple[int, int] | None) -> list[Line]:
    """The tree of these branches, drawn along the steps that weights were trained for; a parent comes before its children.

    Fresh weights begin at the step at which their member began with them.
    """
    origin, children = _forks(tree)
    weight = _weights(tree, children, origin)
    pieces = _pieces(tree, origin, best)
    drawn: list[Line] = []
    fresh = [index for index, branch in enumerate(tree) if branch.parent is None]
    waiting: list[tuple[int | None, Node]] = [(None, (index, 0)) for index in reversed(fresh)]
    while waiting:
        parent, (index, interval) = waiting.pop()
        line, number = Line(parent, origin[index], float("nan"), index), len(drawn)
        if interval:  # the parent trains on, beside its copy
            line.begin = pieces[index, interval].begin
        if parent is not None:
            line.score = next(p.score for p in drawn[parent].pieces if p.end == line.begin)
        drawn.append(line)
        while interval < len(tree[index].evaluated):
            line.pieces.append(pieces[index, interval])
            ways: list[Node] = [(child, 0) for child in children.get((index, interval), [])]
            if interval + 1 < len(tree[index].evaluated):
                ways.insert(0, (index, interval + 1))
            if not ways:
                break
            ahead = max(ways, key=lambda way: weight[way])  # the first of equals: the parent
            if tree[index].final and interval + 1 == len(tree[index].evaluated):
                waiting += [(number, way) for way in ways]  # a final member, copied as it ended, ends here
                break
            waiting += [(number, way) for way in ways if way != ahead]
            index, interval = ahead
            line.last = index
    _set_rows(drawn, tree)
    return drawn


def _forks(tree: Sequence[Branch]) -> tuple[list[float], dict[Node, list[int]]]:
    """Where each branch begins, in steps of its weights; and by interval, which branches are copies of its end."""
    origin = [0.0] * len(tree)
    children: dict[Node, list[int]] = {}
    for index, branch in enumerate(tree):
        origin[index] = float(branch.start)
        if branch.parent is not None:
            copied = tree[branch.parent]
            origin[index] = origin[branch.parent] + branch.left - copied.start
            interval = next(k for k, (step, _) in enumerate(copied.evaluated) if step == branch.left)
            children.setdefault((branch.parent, interval), []).append(index)
    return origin, children


def _pieces(tree: Sequence[Branch], origin: Sequence[float], best: tuple[int, int] | None) -> dict[Node, Piece]:
    """The piece of each interval of each branch."""
    kept, chosen = kept_until(tree, best), dict(ancestors(tree, *best)) if best else {}
    pieces: dict[Node, Piece] = {}
    for index, branch in enumerate(tree):
        shift, survives, before = origin[index] - branch.start, kept[index], branch.start
        for interval, (step, score) in enumerate(branch.evaluated):
            alive = survives is not None and step <= survives
            broke = branch.broke and interval + 1 == len(branch.evaluated)
            pieces[index, interval] = Piece(
                before + shift, step + shift, score, alive, step <= chosen.get(index, -1), broke
            )
            before = step
    return pieces


def _weights(
    tree: Sequence[Branch], children: dict[Node, list[int]], origin: Sequence[float]
) -> dict[Node, tuple[int, float]]:
    """For each interval: how many final members descend from it, and the last step that its descendants reach."""
    weight: dict[Node, tuple[int, float]] = {}
    for index in reversed(range(len(tree))):
        branch = tree[index]
        finals, reach = int(branch.final), origin[index]
        for interval in reversed(range(len(branch.evaluated))):
            reach = max(reach, origin[index] + branch.evaluated[interval][0] - branch.start)
            for child in children.get((index, interval), []):
                finals += weight[child, 0][0]
                reach = max(reach, weight[child, 0][1])
            weight[index, interval] = finals, reach
        weight.setdefault((index, 0), (finals, reach))
    return weight


def line_height(line: Line, tree: Sequence[Branch]) -> float:
    """How much of the height a line needs."""
    return 1.0 if tree[line.last].final else EXTINCT


def _set_rows(drawn: Sequence[Line], tree: Sequence[Branch]) -> None:
    """Give each line a row such that forks cross nothing: a line that forks off later lies nearer to its parent.

    Where an early child forks off, the later ones, which lie in between, have not begun. Children are put on both sides in
    turn. Families that died out come last.
    """
    children: dict[int | None, list[int]] = {}
    for index, line in enumerate(drawn):
        children.setdefault(line.parent, []).append(index)
    alive = [any(piece.kept for piece in line.pieces) for line in drawn]
    ground = 0.0
    # A stack in place of recursion: (line, whether its children on the first side are placed).
    stack = [(index, False) for index in sorted(children.get(None, []), key=lambda i: not alive[i])[::-1]]
    while stack:
        index, placed = stack.pop()
        if placed:
            drawn[index].row = ground + line_height(drawn[index], tree) / 2
            ground += line_height(drawn[index], tree)
            continue
        outward = sorted(children.get(index, []), key=lambda child: drawn[child].begin)  # the first is the outermost
        stack += [(child, False) for child in outward[1::2]]
        stack.append((index, True))
        stack += [(child, False) for child in outward[::2][::-1]]
