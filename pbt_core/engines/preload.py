"""Imported last by the fork server: what libraries would otherwise import in each worker, at its first step."""

import contextlib
import sys

if "torch" in sys.modules:
    with contextlib.suppress(ImportError):
        import torch._dynamo  # the first step of any optimiser imports it, which takes seconds  # noqa: F401
