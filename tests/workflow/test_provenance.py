"""What a summary says of the machine that a run was made on."""

import os

import pytest

from reproductions.suite.running.provenance import processor, provenance


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "processor\t: 0\nmodel name\t: Swift 9\ncpu family\t: 25\nmodel\t\t: 17\nflags\t\t: fpu avx2 avx512f\n",
            {"processor": "Swift 9 (family 25, model 17)", "instructions": "avx512f"},
        ),
        ("model name: Slow 1\nflags: fpu avx2x sse\n", {"processor": "Slow 1", "instructions": "none of these"}),
        ("Features\t: fp asimd crc32\n", {"processor": "arm", "instructions": "asimd"}),
        (None, {"processor": "arm"}),
    ],
    ids=["x86", "old", "arm", "no such file"],
)
def test_a_run_tells_on_which_processor_it_was_made(told, expected, tmp_path, monkeypatch):
    """Last bits depend on it, and the architecture alone does not tell two apart."""
    monkeypatch.setattr("platform.processor", lambda: "arm")
    monkeypatch.setattr("platform.machine", lambda: "some64")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert processor(tmp_path / "cpuinfo") == {"architecture": "some64", **expected}


def test_a_run_tells_which_cards_its_machine_has(tmp_path, monkeypatch):
    """By NVIDIA's own command, where there is one that works."""
    command = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for script, cards in (("echo NVIDIA A; echo NVIDIA B", ["NVIDIA A", "NVIDIA B"]), ("echo no driver; exit 9", None)):
        command.write_text(f"#!/bin/sh\n{script}\n")
        command.chmod(0o755)
        assert provenance("toy", "pbt")["machine"].get("cards") == cards
