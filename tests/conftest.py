"""What all tests share."""

import sys
from pathlib import Path

for folder in (".", "engines"):
    sys.path.insert(0, str(Path(__file__).parent / folder))
