"""How contenders take turns, and where one of them spends its time, in CPU seconds of this process or as ``clock`` tells."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Clock = Callable[[], float]


def fastest(
    contenders: Mapping[str, Callable[[int], None]], steps: int, rounds: int, clock: Clock = time.process_time
) -> dict[str, float]:
    """Steps a second of each contender's fastest round: whatever else the machine does can only slow it down."""
    rates = dict.fromkeys(contenders, 0.0)
    for number in range(rounds):
        for name, train in contenders.items():
            print(f"round {number + 1} of {rounds}: {name} ...", file=sys.stderr, flush=True)
            begun = clock()
            train(steps)
            rates[name] = max(rates[name], steps / (clock() - begun))
    return rates


class Parts:
    """The seconds that parts of a training take: those functions that ``timed`` has wrapped."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, whose time counts for the part ``name``."""
        self.seconds.setdefault(name, 0.0)

        def call(*arguments: Any) -> Any:
            begun = time.process_time()
            result = function(*arguments)
            self.seconds[name] += time.process_time() - begun
            return result

        return call

    def shares(self, whole: float) -> dict[str, float]:
        """Of ``whole`` seconds, the share of each part and what is left: learning, and the rest."""
        rounded = {name: round(seconds / whole, 3) for name, seconds in self.seconds.items()}
        return {**rounded, "learning_and_rest": round(1 - sum(rounded.values()), 3)}
