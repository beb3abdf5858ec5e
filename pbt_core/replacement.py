"""What replaces a member that cannot go on: one that failed, or of a population that diverged as a whole.

The paper says nothing of either; all methods that copy weights do alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from pbt_core.exploit import draw_top, share
from pbt_core.method import Clone, Continue, Decision, Restart
from pbt_core.population import Member, Population

#: The replaced member becomes a child of one of this top fraction, as in truncation selection.
FRACTION = 0.2


def replacement(
    population: Population,
    rng: np.random.Generator,
    child: Callable[[Member], Clone],
    peers: Iterable[Member] = (),
) -> Decision:
    """``child`` of a uniform draw from the best of ``peers``; if none of them is healthy, from the best of all.

    Where nobody is healthy there is none to copy: the member begins anew with a draw from the prior. If all have failed, the
    answer is Continue, which ends the run with the error: that is a bug in the task.
    """
    kin = Population({peer.id: peer for peer in peers if peer.healthy}, population.space)
    among = kin if len(kin) else population
    parent = draw_top(among, share(among, FRACTION), rng)
    if parent is not None:
        return child(parent)
    return Continue() if all(member.failed for member in population) else Restart(population.space.sample(rng))
