"""Whether a run ends before its steps are done, and why it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from pbt_core.plan import Plan
from pbt_core.scheduling import Scheduling


class Ending:
    """What ``Plan.stop`` makes of a run: of the scores that it has seen, and of its seconds so far, which ``elapsed`` gives."""

    def __init__(self, plan: Plan, scheduling: Scheduling[Any], elapsed: Callable[[], float]) -> None:
        self._stop, self._rounds, self._scheduling, self._elapsed = plan.stop, plan.synchronous, scheduling, elapsed
        self._cause: str | None = None

    def see(self, score: float | None) -> None:
        """A member was evaluated with this score."""
        target = self._stop.score if self._stop else None
        if target is not None and score is not None and math.isfinite(score) and score >= target:
            self._cause = self._cause or "score"

    def has_come(self) -> bool:
        """Whether no more work is begun; a round that reached the score is finished first."""
        limit = self._stop.seconds if self._stop else None
        if self._cause is None and limit is not None and self._elapsed() >= limit:
            self._cause = "time"
        if self._cause == "score" and self._rounds:
            return bool(self._scheduling.due())
        return self._cause is not None

    def reason(self, budget_left: bool) -> str:
        """Why the run is over, as its ``finished`` event says it; ``budget_left``: whether some member could have gone on."""
        return self._cause if self._cause and budget_left else "steps"
