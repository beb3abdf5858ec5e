"""Benchmarks that no other test touches still run: at sizes at which they tell nothing."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_simulated_engine_is_measured_with_what_the_core_takes_of_it(tmp_path):
    """Each task in each mode, and the core alone."""
    out = tmp_path / "size.json"
    command = [sys.executable, ROOT / "benchmarks" / "simulated_size.py", "--members", "10", "--out", out]
    subprocess.run(command, check=True, capture_output=True)
    measured = json.loads(out.read_text())
    names = {
        f"{what}_{mode}_cpu_s" for what in ("hill", "recorded", "core") for mode in ("asynchronous", "synchronous")
    }
    assert measured.keys() == names
    assert all(seconds >= 0 for seconds in measured.values())
