"""What all tests share."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

from pbt_core.engines.base import limit_threads

for folder in (".", "engines"):
    sys.path.insert(0, str(Path(__file__).parent / folder))


def pytest_collection_modifyitems(items):
    """What takes longest begins first, so that workers end at about the same time."""
    items.sort(key=lambda item: (item.path.stem != "test_smoke", "workflow" not in item.path.parts))


# No test fails because a machine is slow.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# As in every engine: more threads would change the last bits, and be slow where workers share the cores.
limit_threads(1)
