"""Addresses of clusters: what Ray would look for in vain, or for ever, is refused where it is declared."""

import pytest

from pbt_core import Ray, RunError
from pbt_core.engines.ray import _joined, place

RULE = r"must be 'auto', 'local', HOST:PORT or ray://HOST:PORT, with a port in \[1, 65535\]"


@pytest.mark.parametrize(
    ("address", "where"),
    [
        ("auto", None),
        ("local", None),
        ("localhost:6379", ("localhost", 6379)),
        ("10.0.0.7:1", ("10.0.0.7", 1)),
        ("[::1]:65535", ("::1", 65535)),
        ("ray://head.cluster.example.org:10001", ("head.cluster.example.org", 10001)),
        ("head_node:6379", ("head_node", 6379)),
        ("head.example.:6379", ("head.example.", 6379)),
    ],
)
def test_an_address_is_taken_apart(address, where):
    """Into host and port, by the standard library's parser; Ray's own words have none."""
    assert place(Ray(address=address).address) == where


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "localhost", ":6379", "localhost:", "localhost:0", "localhost:-1", "localhost:65536", "localhost:6379 "),
        *("localhost:²", "localhost:٣", "localhost:6_3", "localhost:+1", "localhost:1.0", "localhost:0x10", "a b:1", "a:1\n"),
        *("a..b:1", ".a:1", f"{'a' * 64}.b:1", "ä:1", "[::1:6379", "::1:6379", "[::g]:1", "[]:1", "a:1:2", "a:1\0"),
        *("ray://", "ray://localhost", "http://localhost:1", "ray://ray://a:1", "//a:1", "me@a:1", "a:1/b", "a:1?b", "a:1#b"),
        *("Auto", "auto:", "ray:6379:", "a:" + "9" * 5000, "a" * 5000),
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_address_is_refused_before_anything_connects(address):
    """In one line with the value and the rule."""
    with pytest.raises(ValueError, match=f"^Ray: address = .* {RULE} or None$") as refused:
        Ray(address=address)
    assert len(str(refused.value)) < 300


class NoRay:
    """Stands for the library: nobody may ask it for anything but whether this process has joined."""

    def is_initialized(self):
        return False


@pytest.mark.parametrize("address", [":6379", "localhost:-1", "a..b:1", " "])
def test_an_address_of_the_environment_is_checked_too(address, monkeypatch):
    """It is asked for where the declaration names none."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(RunError, match=f"^Ray: RAY_ADDRESS = '.*' {RULE}$"), _joined(NoRay(), None):
        pass
