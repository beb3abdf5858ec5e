"""How to install what a part of this repository needs: said in one way, by whatever finds it missing."""

from __future__ import annotations


def install(extra: str) -> str:
    """The command that installs an extra of ``pyproject.toml``, in the repository's root: the package is in no index."""
    return f"pip install -c constraints.txt -e '.[{extra}]'"
