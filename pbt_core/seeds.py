"""Named random streams: every draw comes from a generator derived from names, never from a global state.

A stream is a seed and a path of names such as ``(7, "step", member, step)``. Equal names give equal draws wherever and
in whatever order they are asked for, which is what makes a run independent of the number of workers and resumable
without storing any generator's state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from pbt_core.compact import compact
from pbt_core.values import listed, scalar, shown, whole_number

#: Of a seed, or of a number in a name: those of ``Stream.entropy`` and more.
MOST_BITS = 1024
_NAMES = frozenset({int, str})
_WORDS = np.dtype("<u4")
_as_json = compact(allow_nan=False)


def _number(field: str, value: Any) -> int:
    number = whole_number("Stream", field, value)
    if number.bit_length() > MOST_BITS:
        raise ValueError(f"Stream: {field} = {shown(value)} must have at most {MOST_BITS} bits")
    return number


def _name(value: Any) -> str | int:
    """A number of numpy's as Python's: both name the same stream."""
    name = scalar(value)
    if isinstance(name, bool) or not isinstance(name, str | int):
        kind = type(value).__name__
        raise TypeError(f"Stream: the name {shown(value)} is a {kind}, and must be a whole number or a text")
    return name if isinstance(name, str) else _number("names", name)


@dataclass(frozen=True)
class Stream:
    """A source of randomness known by its seed and names; cheap to make, safe to send to another process."""

    seed: int
    names: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        # Streams are made in every interval: nearly all have a name of which nothing need be asked.
        seed, names = self.seed, self.names
        if seed.__class__ is not int or names.__class__ is not tuple or not _NAMES.issuperset(map(type, names)):
            object.__setattr__(self, "seed", _number("seed", self.seed))
            object.__setattr__(self, "names", tuple(map(_name, listed("Stream", "names", self.names, '("step", 3)'))))

    def child(self, *names: str | int) -> Stream:
        """The stream below this one called ``names``; siblings are statistically independent."""
        return Stream(self.seed, (*self.names, *names))

    def entropy(self) -> int:
        """256 bits that depend on the seed and on every name, the same on every machine and Python version."""
        return int.from_bytes(self._digest(), "big")

    def generator(self) -> np.random.Generator:
        """A fresh numpy generator at the beginning of this stream: seeded with ``entropy``."""
        # numpy takes a number apart into such words, slowly. It leaves out those above the number's highest bit.
        words = np.frombuffer(self._digest()[::-1], _WORDS)
        return np.random.Generator(np.random.PCG64(words if words[-1] else self.entropy()))

    def integer(self) -> int:
        """A seed in [0, 2**63) for libraries that take an integer, such as ``torch.Generator().manual_seed``."""
        return self.entropy() >> 193

    def _digest(self) -> bytes:
        try:
            return hashlib.sha256(_as_json([self.seed, *self.names]).encode()).digest()
        except ValueError:  # a number of too many digits, which one of these names in its error
            _number("seed", self.seed)
            raise ValueError(f"Stream: names = {shown(tuple(map(_name, self.names)))} cannot be written") from None


class Streams:
    """The streams of one run by their purpose; ``step`` is always the member's own step at which the stream is used."""

    def __init__(self, seed: int) -> None:
        self.root = Stream(seed)

    def start(self) -> Stream:
        """Where the first hyperparameters of all members are drawn from."""
        return self.root.child("start")

    def init(self, member: int, step: int) -> Stream:
        """Fresh weights; a restarted member's differ from its first ones."""
        return self.root.child("init", member, step)

    def step(self, member: int, step: int) -> Stream:
        """The interval that begins at ``step``."""
        return self.root.child("step", member, step)

    def evaluate(self, member: int, step: int) -> Stream:
        """The evaluation at ``step``."""
        return self.root.child("evaluate", member, step)

    def decide(self, member: int, step: int) -> Stream:
        """The decision on a member that was evaluated, or failed, at ``step``."""
        return self.root.child("decide", member, step)
