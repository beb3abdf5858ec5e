"""API pages from docstrings: python docs/api.py FOLDER. Needs pdoc (the extra docs); works offline; a warning is an error.

Shown are what pbt_core lists as public, its modules for tests and for torch, the methods in baselines, and the modules of
the suite and of what domains share.
"""

import re
import sys
import warnings
from pathlib import Path

import pdoc
from jinja2 import pass_context
from pdoc.render_helpers import to_markdown_with_context

#: What pdoc documents, in its own words: with "!" a pattern that is left out, unless it is named again.
MODULES = (
    "pbt_core",
    r"!pbt_core\.",
    "pbt_core.testing",
    "pbt_core.torch",
    "pbt_core.torch_task",
    "baselines",
    r"!baselines\.",
    "reproductions.suite",
    "reproductions.shared",
)
#: "name: what it is", one of a block of such lines, as our docstrings explain fields and arguments.
FIELD = re.compile(r"^(\w+(?:, \w+)*): (?=\S)", re.MULTILINE)


@pass_context
def to_markdown(context, docstring):
    """A docstring as Markdown, in which explained fields are a list."""
    blocks = docstring.split("\n\n")
    listed = [FIELD.sub(r"* **\1**: ", block) if FIELD.match(block) else block for block in blocks]
    return to_markdown_with_context(context, "\n\n".join(listed))


def main(folder):
    """Write the pages into ``folder``; index.html is the first."""
    warnings.filterwarnings("error", module=r"pdoc\b")  # what pdoc warns of, not what it imports
    warnings.filterwarnings("ignore", message="Suppressed execution")  # imports need no answer of uname
    # Annotations are mypy's business: some have no value at run time, and are shown as they are written.
    warnings.filterwarnings("ignore", message=r"Error parsing type annotation")
    pdoc.render.env.filters["to_markdown"] = to_markdown
    pdoc.render.configure(docformat="restructuredtext", show_source=False)
    pdoc.pdoc(*MODULES, output_directory=folder)
    print(f"open {folder / 'pbt_core.html'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
