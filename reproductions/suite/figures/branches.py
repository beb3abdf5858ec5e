"""The branches of a population's family tree: which weights were copied from which, read from events alone.

``pbt_core.lineage`` follows weights back from one member; this keeps all weights that were trained, also those that died out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pbt_core.schema import Event


@dataclass
class Branch:
    """Weights in one member, from a fresh start or a copy until the member replaced them or the run ended.

    Steps are this member's. ``parent`` is the branch that the weights were copied from, at its step ``left``; None: fresh.
    ``evaluated`` holds step and score at the end of each interval; ``explored`` are the steps at which hyperparameters
    changed to other values than the parent's. ``final``: the member ended with it. ``broke``: its last interval diverged or
    failed.
    """

    member: int
    start: int
    parent: int | None = None
    left: int = 0
    evaluated: list[tuple[int, float]] = field(default_factory=list)
    explored: list[int] = field(default_factory=list)
    final: bool = False
    broke: bool = False

    @property
    def stop(self) -> int:
        return self.evaluated[-1][0] if self.evaluated else self.start


def branches(events: Sequence[Event]) -> list[Branch]:
    """All branches, in the order in which they began: a parent comes before its children."""
    tree: list[Branch] = []
    now: dict[int, int] = {}  # the branch that a member is on
    at: dict[tuple[int, int], int] = {}  # the branch of a member's evaluation at a step
    settings: dict[int, object] = {}  # the present hyperparameters of each member
    used: dict[tuple[int, int], object] = {}  # those of a member's interval that ended at a step

    def begin(branch: Branch) -> None:
        now[branch.member] = len(tree)
        tree.append(branch)

    for event in events:
        member, step = event.get("member", -1), event.get("step", 0)
        match event["event"]:
            case "joined" | "restarted":
                begin(Branch(member, step))
                settings[member] = event["hyperparameters"]
            case "evaluated":
                at[member, step], used[member, step] = now[member], event["hyperparameters"]
                tree[now[member]].evaluated.append((step, event["score"]))
                tree[now[member]].broke = not math.isfinite(event["score"])
            case "failed":
                tree[now[member]].broke = True
            case "retried":
                tree[now[member]].broke = False
            case "changed":
                tree[now[member]].explored.append(step)
                settings[member] = event["hyperparameters"]
            case "cloned":
                source = event["source"]["member"], event["source"]["step"]
                if event["weights"]:
                    begin(Branch(member, step, at[source], source[1]))
                if event["hyperparameters"] not in (used[source], settings[event["parent"]], settings[member]):
                    tree[now[member]].explored.append(step)
                settings[member] = event["hyperparameters"]
    for last in now.values():
        tree[last].final = True
    return tree


def root(tree: Sequence[Branch], index: int) -> int:
    """The branch of fresh weights from which a branch descends."""
    while (parent := tree[index].parent) is not None:
        index = parent
    return index


def founders(tree: Sequence[Branch]) -> tuple[int, int]:
    """From how many fresh weights the final members descend, and how many there were."""
    surviving = {root(tree, index) for index, branch in enumerate(tree) if branch.final}
    return len(surviving), sum(branch.parent is None for branch in tree)


def answer(tree: Sequence[Branch], events: Sequence[Event]) -> tuple[int, int] | None:
    """The branch of the run's answer, and its step; None if the run has no best member."""
    finished = [event for event in events if event["event"] == "finished" and event["best"] is not None]
    if not finished:
        return None
    member, step = finished[-1]["best"], finished[-1].get("step")
    of_member = [index for index, branch in enumerate(tree) if branch.member == member]
    if step is None:
        return of_member[-1], tree[of_member[-1]].stop
    return next(index for index in of_member if any(step == at for at, _ in tree[index].evaluated)), step


def kept_until(tree: Sequence[Branch], best: tuple[int, int] | None = None) -> list[int | None]:
    """For each branch, the last step from which a final member, or the best, descends; None if it died out."""
    kept: list[int | None] = [branch.stop if branch.final else None for branch in tree]
    if best is not None:
        kept[best[0]] = max(kept[best[0]] or 0, best[1])
    for index in reversed(range(len(tree))):  # children come after their parents
        branch = tree[index]
        if kept[index] is not None and branch.parent is not None:
            kept[branch.parent] = max(kept[branch.parent] or 0, branch.left)
    return kept


def ancestors(tree: Sequence[Branch], index: int, step: int) -> list[tuple[int, int]]:
    """The ancestry of the weights that a branch had at a step, newest first: each branch and its last step in it."""
    path = [(index, step)]
    while (parent := tree[index].parent) is not None:
        path.append((parent, tree[index].left))
        index = parent
    return path
