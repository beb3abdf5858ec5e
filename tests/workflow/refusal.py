"""How tests look at a command line that is refused."""

from pathlib import Path

from reproductions.suite.cli import main

#: Letters of the longest line that may answer it.
LONGEST = 500


def refused(capsys, *arguments, longest=LONGEST):
    """The one line of a request that is refused; nothing is printed, no file below the current folder is changed or left."""
    before = _listing()
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit:
        code = exit.code
    printed = capsys.readouterr()
    assert code == 2, printed
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("error: ")
    assert len(line) < longest
    assert _listing() == before
    return line


def _listing():
    """All paths below the current folder; of files and links, when they were written last."""
    return {
        path: path.lstat().st_mtime_ns if path.is_symlink() or not path.is_dir() else None for path in Path().rglob("*")
    }
