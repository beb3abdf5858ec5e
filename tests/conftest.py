"""What all tests share."""

import sys
from pathlib import Path

from pbt_core.engines.base import limit_threads

for folder in (".", "engines"):
    sys.path.insert(0, str(Path(__file__).parent / folder))

# As in every engine: more threads would change the last bits, and be slow where workers share the cores.
limit_threads(1)
