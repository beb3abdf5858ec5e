"""The digest of sources: what changes it, what does not, and how the sources are found. All in copies."""

import subprocess
import sys

import pytest
from checkouts import ROOT, copied

from reproductions.suite.running.provenance import checkout
from reproductions.suite.study import registry
from reproductions.suite.study.kinds import METHOD
from reproductions.suite.study.registry import ConfigError
from reproductions.suite.study.sources import (
    CHOICES,
    LEFT_OUT,
    LOOKS,
    results_digest,
    results_sources,
    sources,
    sources_digest,
)

#: A tiny suite of one domain, by file. Each module is reached in another way.
TREE = {
    "pbt_core/__init__.py": '''
"""The core."""
from pbt_core.engines import Serial
from pbt_core.space import Space

__all__ = ["Serial", "Space"]
''',
    "pbt_core/space.py": "class Space: bound = 0",
    "pbt_core/engines/__init__.py": "from pbt_core.engines.serial import Serial",
    "pbt_core/engines/serial.py": "from pbt_core.decisions import decide\nclass Serial: ...",
    "pbt_core/decisions.py": "def decide(score):\n    return score > 0.5",
    "pbt_core/unrelated.py": "ANYTHING = 1",
    "baselines/__init__.py": "",
    "baselines/search.py": "SIZE = 10",
    "baselines/methods.py": "class Random: ...",
    "baselines/others.py": "class Other:\n    size = 1",
    "reproductions/suite/study/kinds.py": """
from baselines.methods import Random
from baselines.others import Other

METHOD = Family("method", {"random": Random, "other": Other})
""",
    "reproductions/__init__.py": "",
    "reproductions/suite/running/execute.py": '''
from __future__ import annotations
from typing import TYPE_CHECKING
import baselines.search as search

if TYPE_CHECKING:
    from collections.abc import Sequence

def execute(values: Sequence[float]) -> float:
    """Run."""
    total: float = 0.0
    for value in values:
        total = total + value * search.SIZE
    return total
''',
    "reproductions/suite/study/settings.py": "from reproductions.suite.figures import draw\nSCALES = ('smoke',)",
    "reproductions/suite/figures/__init__.py": "def draw(): return 'red'",
    "reproductions/shared/__init__.py": "",
    "reproductions/shared/network.py": "WIDTH = 16",
    "reproductions/toy/__init__.py": "",
    "reproductions/toy/sweep.py": """
from reproductions.shared.made import made

MEASURE = "score"
EXPECTED = (0.5,)
RATES = (0.1, 0.2)
SOURCES = ("levels",)
_SHARED = 3
SPACE = made(_SHARED)

def _size(steps):
    return steps * _SHARED * _factor

_factor: int = 2
METHODS = {"random": {}}
SCALES = {"smoke": _size(10)}
""",
    "reproductions/shared/made.py": "def made(number): return number",
    "reproductions/toy/analysis.py": "COLOUR = 'red'",
    "reproductions/toy/late.py": "LATE = 1",
    "reproductions/toy/task.py": """
from dataclasses import dataclass, field

from pbt_core import Space
from ..shared import network
from . import sweep

@dataclass(frozen=True)
class Task:
    rate: float = 0.1
    names: tuple[str, ...] = field(default_factory=tuple)
    space = Space()

    def step(self, state: list[float], steps: int = 5) -> list[float]:
        from reproductions.toy.late import LATE
        for _ in range(steps):
            state = [value + self.rate - LATE for value in state]
        state.append(network.WIDTH)
        state.sort()
        return state
""",
    "levels/maze.txt": "xxx",
}
TASK, RUN = "reproductions/toy/task.py", "reproductions/suite/running/execute.py"


@pytest.fixture
def suite(tmp_path):
    for name, text in TREE.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edited(suite, name, old, new):
    """The digests before and after an edit."""
    before = sources_digest("toy", "random", suite)
    path = suite / name
    text = path.read_text() if path.exists() else ""
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return before, sources_digest("toy", "random", suite)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (TASK, "rate: float", "# how fast\n    rate: float"),
        (TASK, "    def step", '    """What is trained."""\n\n\n    def step'),
        (TASK, "state = [value + self.rate - LATE for value in state]", "state = [(value+self.rate)-LATE for value in state]"),
        (TASK, "state: list[float], steps: int = 5) -> list[float]", "state, steps: 'int' = 5)"),
        (TASK, "from dataclasses import dataclass, field", "from dataclasses import (\n    field,\n    dataclass,\n)"),
        (RUN, "total: float = 0.0", "total = 0.00"),
        (RUN, "total: float = 0.0", "total: float = 0.0\n    count: int"),
        (RUN, "values: Sequence[float]", "values: list[float]"),
        (
            RUN,
            TREE[RUN],
            TREE[RUN].replace("-> float", "-> Space").replace("from typing", "from pbt_core import Space\nfrom typing"),
        ),
        (RUN, "    from collections.abc import Sequence", "    from pbt_core.unrelated import ANYTHING as Sequence"),
        (RUN, "def execute", "from typing import overload\n@overload\ndef execute(values: int) -> int: ...\ndef execute"),
        ("baselines/search.py", "SIZE = 10", "SIZE: int = 10"),
        ("reproductions/toy/sweep.py", '"score"', '"the score"'),
        ("reproductions/toy/sweep.py", "(0.5,)", "(0.5, 0.7)"),
        ("reproductions/toy/sweep.py", '{"random": {}}', '{"random": {}, "other": {}}'),
        ("reproductions/toy/sweep.py", "_size(10)", "_size(20)"),
        ("reproductions/toy/sweep.py", "steps * _SHARED", "steps + _SHARED"),
        ("reproductions/toy/sweep.py", "_factor: int = 2", "_factor: int = 3"),
        ("baselines/others.py", "1", "2"),
        ("baselines/__init__.py", "", "from baselines.others import Other"),
        ("reproductions/suite/study/kinds.py", '{"random"', '{"third": Other, "random"'),
        ("reproductions/toy/analysis.py", "red", "blue"),
        ("reproductions/suite/figures/__init__.py", "red", "blue"),
        ("pbt_core/engines/serial.py", "class Serial: ...", "class Serial:\n    workers = 2"),
        ("pbt_core/unrelated.py", "ANYTHING = 1", "def added(): return 2"),
        ("pbt_core/engines/ray.py", "", "class Ray: ..."),
        ("pbt_core/new.py", "", "NEW = 1"),
        (
            "pbt_core/__init__.py",
            TREE["pbt_core/__init__.py"],
            TREE["pbt_core/__init__.py"].replace("import Serial", "import Ray, Serial").replace('["Serial', '["Ray", "Serial'),
        ),
    ],
)  # fmt: skip
def test_what_cannot_change_a_run_leaves_the_digest_as_it_was(suite, name, old, new):
    """Comments, docstrings, formatting, annotations and their imports, engines, looks, and modules that nothing reaches."""
    before, after = edited(suite, name, old, new)
    assert before == after


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        (TASK, "rate: float = 0.1", "rate: float = 0.2"),
        (TASK, "rate: float = 0.1", "rate: int = 0.1"),
        (TASK, "    rate: float = 0.1\n    names", "    other: int = 0\n    rate: float = 0.1\n    names"),
        (TASK, "steps: int = 5", "steps: int = 6"),
        (TASK, "self.rate - LATE", "self.rate + LATE"),
        (TASK, "frozen=True", "frozen=False"),
        (TASK, "@dataclass(frozen=True)\n", ""),
        (
            TASK,
            "state.append(network.WIDTH)\n        state.sort()",
            "state.sort()\n        state.append(network.WIDTH)",
        ),
        (RUN, "total: float = 0.0", "total: float = 1.0"),
        (RUN, "value * search.SIZE", "value"),
        (RUN, "import baselines.search as search", "from reproductions.toy import sweep as search"),
        ("baselines/search.py", "10", "11"),
        ("reproductions/toy/sweep.py", "0.2", "0.3"),
        ("reproductions/toy/sweep.py", "_SHARED = 3", "_SHARED = 4"),
        ("reproductions/shared/made.py", "return number", "return -number"),
        ("baselines/methods.py", "...", "size = 2"),
        ("reproductions/suite/study/kinds.py", '"random": Random', '"random": Other'),
        ("reproductions/toy/late.py", "1", "2"),
        ("reproductions/shared/network.py", "16", "17"),
        ("pbt_core/decisions.py", "> 0.5", ">= 0.5"),
        ("pbt_core/space.py", "bound = 0", "bound = 1"),
        ("levels/maze.txt", "xxx", "xyx"),
    ],
)
def test_what_can_change_a_run_changes_the_digest(suite, name, old, new):
    """Numbers, defaults, operators, fields, decorators, the order of statements, wherever imports lead, and declared files."""
    before, after = edited(suite, name, old, new)
    assert before != after


@pytest.mark.parametrize(
    ("name", "old", "new", "changes"),
    [
        ("reproductions/suite/figures/__init__.py", "'red'", "'blue'", True),
        ("reproductions/suite/figures/__init__.py", "def", "# a comment\ndef", False),
        ("reproductions/toy/sweep.py", '"score"', '"height"', True),
        ("reproductions/toy/sweep.py", "(0.5,)", "(0.6,)", True),
        ("reproductions/toy/analysis.py", "'red'", "'blue'", True),
        ("reproductions/toy/task.py", "rate: float = 0.1", "rate: float = 0.2", False),
        ("pbt_core/engines/serial.py", "...", "size = 2", False),
        ("pbt_core/decisions.py", "> 0.5", ">= 0.5", True),
    ],
)
def test_results_have_a_digest_of_what_makes_them_from_runs(suite, name, old, new, changes):
    """Figures, and what a sweep declares for axes and claims, count in it; tasks and engines do not."""
    modules = [
        "reproductions.toy.analysis",
        "reproductions.toy.sweep",
        "reproductions.suite.study.settings",
        "pbt_core",
    ]
    before, of_run = results_digest(modules, suite), sources_digest("toy", "random", suite)
    path = suite / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    assert (results_digest(modules, suite) != before) == changes
    shown = name.startswith("reproductions/suite/figures") or "analysis" in name or old in ('"score"', "(0.5,)")
    assert not (shown and sources_digest("toy", "random", suite) != of_run)


def test_the_digest_of_results_names_a_module_that_is_not_there(suite):
    """In one line."""
    with pytest.raises(ConfigError, match=r"^module = 'reproductions.toy.figures': there is no such module$"):
        results_digest(["reproductions.toy.figures"], suite)


@pytest.mark.parametrize("module", ["claims", "statistics", "power", "multiplicity", "contrasts", "scores", "dates"])
def test_verdicts_are_made_anew_for_whatever_they_are_computed_by(module):
    """The rules of the workflow name one module of these; imports lead to the others."""
    assert f"reproductions.suite.results.{module}" in results_sources(["reproductions.suite.results.verdicts"])


def test_annotations_stay_where_a_decorator_reads_them(suite):
    """Dispatch on types is no documentation."""
    (suite / "baselines/search.py").write_text("@run.register\ndef _(value: int): ...\nSIZE = 10")
    before, after = edited(suite, "baselines/search.py", "value: int", "value: float")
    assert before != after


def test_an_edit_that_is_taken_back_gives_the_old_digest(suite):
    """As does a copy elsewhere, with other times."""
    before, changed = edited(suite, TASK, "0.1", "0.2")
    _, again = edited(suite, TASK, "0.2", "0.1")
    assert before == again != changed


def test_sources_are_found_wherever_an_import_stands(suite):
    """Relative, inside a function, of a package's own module, and below what is itself left out."""
    names = set(sources("toy", "random", suite))
    assert {"reproductions.shared.network", "reproductions.toy.late", "baselines.search", "pbt_core.decisions"} <= names
    assert {"pbt_core", "reproductions.toy", "reproductions.shared", "levels/maze.txt"} <= names
    assert not names & {
        "pbt_core.engines",
        "pbt_core.engines.serial",
        "reproductions.suite.figures",
        "pbt_core.unrelated",
    }


@pytest.mark.parametrize("domain", registry.domains())
def test_every_domain_depends_on_its_task_and_on_what_decides_a_run(domain):
    """The algorithm, the settings and the composition are in; engines, figures and trackers are not."""
    names = set(sources(domain, "pbt"))
    assert {f"reproductions.{domain}.{name}" for name in ("task", "sweep")} <= names
    assert {f"reproductions.suite.study.{name}" for name in ("settings", "descriptions")} <= names
    assert "reproductions.suite.running.execute" in names
    assert not names & {"reproductions.suite.study.examples", "reproductions.suite.study.kinds", "baselines"}
    assert {
        f"pbt_core.{name}" for name in ("pbt", "exploit", "explore", "population", "space", "seeds", "work")
    } <= names
    assert {f"pbt_core.{name}" for name in ("events", "ledger", "store", "plan", "driver", "task", "method")} <= names
    assert not [name for name in names if name.startswith(("pbt_core.engines", "reproductions.suite.figures"))]
    others = [other for other in registry.domains() if other != domain]
    assert not [name for name in names if name.startswith(tuple(f"reproductions.{other}." for other in others))]


def test_the_modules_that_several_domains_share_are_found_by_imports():
    """Nobody keeps a list of them."""
    assert {"reproductions.shared.rl.learner", "pbt_core.torch"} <= set(sources("atari", "pbt"))
    assert "reproductions.shared.images.fashion_mnist" in sources("gan", "pbt")
    assert "reproductions.translation.fairseq_model" in sources("translation", "pbt")


def test_what_is_left_out_is_there_and_nobody_else_reads_what_only_looks_need():
    """A module that is gone has no place in the list; a constant that a run reads is not of the looks."""
    for name in LEFT_OUT:
        path = ROOT.joinpath(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name
    for domain in registry.domains():
        for name, source in sources(domain, "pbt").items():
            text = source.path.read_text()
            assert name.endswith(".sweep") or not any(word in text for word in LOOKS), name
            trained = name.startswith((f"reproductions.{domain}.", "reproductions.shared."))
            assert name.endswith(".sweep") or not (trained and any(word in text for word in CHOICES)), name


@pytest.mark.parametrize("kind", METHOD.kinds)
def test_a_run_depends_on_its_own_method_and_on_no_other(kind):
    """Another method is no reason to make a run again."""
    own = METHOD.kinds[kind].__module__
    names = set(sources("toy", kind))
    assert own in names or own.partition(".")[0] == "pbt_core"
    methods = {other.__module__ for other in METHOD.kinds.values() if other.__module__.startswith("baselines")}
    read_by_all = "baselines.scheduled"  # whose values are checked with the settings
    assert methods & names <= {own, read_by_all}


def test_a_kind_that_is_none_is_one_line(suite):
    with pytest.raises(ConfigError, match=r"kind = 'best' must be one of \['random', 'other'\]"):
        sources_digest("toy", "best", suite)


def test_a_domain_that_is_none_and_a_source_that_is_no_python_are_one_line(suite):
    """With the file and the line."""
    with pytest.raises(ConfigError, match=r"domain = 'mars' must be one of \['toy'\]"):
        sources_digest("mars", "random", suite)
    (suite / TASK).write_text("def step(:\n")
    with pytest.raises(ConfigError, match=r"task\.py.*line 1"):
        sources_digest("toy", "random", suite)


def test_the_digest_is_the_same_in_every_process_and_imports_no_task(tmp_path):
    """Nor does it need what tasks need."""
    copied(tmp_path)
    code = "import sys; from reproductions.suite.study.sources import sources_digest; print(sources_digest('gan', 'pb2')); "
    code += "assert not {'torch', 'numpy', 'pbt_core', 'reproductions.gan'} & set(sys.modules)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }  # fmt: skip
    assert digests == {sources_digest("gan", "pb2")}


def test_the_commit_is_that_of_the_suites_own_repository_or_none(tmp_path):
    """A copy inside another repository is no checkout of that one; a folder without git has no commit."""

    def git(*arguments):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    copy = tmp_path / "suite"
    copy.mkdir()
    assert checkout(copy) == {"commit": None, "modified": None}
    (tmp_path / "file").write_text("one")
    git("init", "-q")
    git("add", "file")
    git("commit", "-q", "-m", "x")
    assert checkout(copy) == {"commit": None, "modified": None}
    assert checkout(tmp_path) == {"commit": git("rev-parse", "HEAD"), "modified": False}
    (tmp_path / "file").write_text("two")
    assert checkout(tmp_path)["modified"]
