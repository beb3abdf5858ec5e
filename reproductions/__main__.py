"""``python -m reproductions``."""

import sys

from reproductions.suite.cli import main

if __name__ == "__main__":
    sys.exit(main())
