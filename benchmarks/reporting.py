"""Where a benchmark's figures go: the one place that writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def keep(report: Mapping[str, Any], out: Path | None) -> None:
    """Write ``report`` as JSON to ``out``, if one is given."""
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=1) + "\n")
        print(f"written to {out}")
