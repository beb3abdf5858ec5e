"""A mistake in a domain of one's own is one line with the domain, the name and the rule, and no matter of the other domains."""

import sys

import pytest
from refusal import refused
from test_ninth_domain import ANALYSIS, SWEEP, TASK

import reproductions
from reproductions.suite.cli import main
from reproductions.suite.results.claims import all_claims
from reproductions.suite.study import registry
from reproductions.suite.study.registry import ConfigError

TUPLE = "must be a tuple of {0}: one alone needs a comma, ({0}(...),)"


@pytest.fixture
def ninth(tmp_path, monkeypatch):
    """Writes the modules of a ninth domain, a text in one of which is replaced by another; the others are as they are."""
    folder = tmp_path / "reproductions" / "ninth"
    folder.mkdir(parents=True)
    known = registry.domains()
    monkeypatch.setattr(reproductions, "__path__", [*reproductions.__path__, str(folder.parent)])
    monkeypatch.setattr(registry, "domains", lambda: sorted([*known, "ninth"]))

    def write(old="", new=""):
        for name, text in {"__init__": "", "sweep": SWEEP, "task": TASK, "analysis": ANALYSIS}.items():
            (folder / f"{name}.py").write_text(text.replace(old, new) if old else text)

    yield write
    for name in [name for name in sys.modules if name.startswith("reproductions.ninth")]:
        del sys.modules[name]
    vars(reproductions).pop("ninth", None)


def test_a_domain_that_keeps_the_contract_is_read(ninth):
    """The template that the page shows."""
    ninth()
    assert registry.fault("ninth") is None
    assert registry.task_class("ninth").__name__ == "Slope"
    assert any(claim.domain == "ninth" for claim in all_claims())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("SPACE = ", "ROOM = ", "sweep.py: SPACE is required: a Space"),
        ("MEASURE = ", "RULER = ", "sweep.py: MEASURE is required: a Measure"),
        ("REQUIRES = ()", "", "sweep.py: REQUIRES is required: a tuple of Requirement, which may be empty"),
        ("EXPECTED = ()", "EXPECTED = ('1',)", "sweep.py: EXPECTED[0] = '1' must be a Expected"),
        ("SCALES = ", "SIZES = ", "sweep.py: SCALES is required: a mapping"),
        ('"smoke", "laptop", "paper"', '"smoke", "paper"', "SCALES = ['smoke', 'paper'] must have the keys ['smoke', "),
        (
            'Scale(("hill",)',
            'Scale(("hill")',
            "problems = 'hill' must be a tuple of keys of PROBLEMS: one alone needs a comma",
        ),
        ('Scale(("hill",)', "Scale(()", "SCALES['smoke'].problems = () must be some of PROBLEMS, ['hill', 'valley']"),
        ('Scale(("hill",)', 'Scale(("hil",)', "problems = ('hil',) must be some of PROBLEMS, ['hill', 'valley']"),
        ('"hill": {}', '"a hill": {}', "sweep.py: PROBLEMS: the key = 'a hill' must be at most 100 letters, digits"),
        ('"hill": {}', '"hill": 2', "sweep.py: the settings of 'hill' = 2 must be a mapping"),
        ("REQUIRES = ()", "REQUIRES = ()\nFIGURES = ('tree')", f"FIGURES = 'tree' {TUPLE.format('str')}"),
        (
            "REQUIRES = ()",
            "REQUIRES = ()\nnowhere",
            "sweep.py, line 14: cannot be imported: NameError: name 'nowhere' is not",
        ),
        ("REQUIRES = ()", "REQUIRES = (", "sweep.py, line 13: cannot be imported: SyntaxError: "),
        ("suite.study.sweep import", "suite.study.sweeps import", "No module named 'reproductions.suite.study.sweeps'"),
        (
            '"random_search": -1}),)',
            '"random_search": -1}))',
            "analysis.py: CLAIMS = Claim(",
        ),
        (
            '"random_search": -1})',
            '"random_search": -1}, side="up")',
            "claim 'PBT climbs higher' of ninth: side = 'up'",
        ),
        ("def figures(", "def drawings(", "analysis.py: figures is required: a function of records"),
    ],
)
def test_what_breaks_the_contract_of_sweep_or_analysis_is_named_in_one_line(old, new, words, ninth):
    """All commands go on with the other domains."""
    ninth(old, new)
    fault = registry.fault("ninth")
    assert fault.startswith("domain 'ninth': ")
    assert words in fault
    assert "\n" not in fault
    assert {claim.domain for claim in all_claims()} >= {"toy", "gan"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("TASK = Slope", "", "TASK is required: the class of the task"),
        ("TASK = Slope", "TASK = Slope()", "must be the class of the task, not one of its objects"),
        ("(DomainTask[float])", "", "must derive from DomainTask, which has the hooks"),
        ("@dataclass(frozen=True)\n", "", "must be a dataclass, whose fields are its settings"),
    ],
)
def test_what_breaks_the_contract_of_a_task_is_named_in_one_line(old, new, words, ninth):
    """Before a run begins."""
    ninth(old, new)
    with pytest.raises(ConfigError, match=r"^domain 'ninth': task\.py: TASK") as caught:
        registry.task_class("ninth")
    assert words in str(caught.value)


def test_the_others_are_listed_and_judged_beside_a_broken_domain(ninth, tmp_path, capsys):
    """Each command says in a line what it leaves out."""
    ninth("MEASURE = ", "RULER = ")
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "ninth\n  cannot be read: domain 'ninth': sweep.py: MEASURE is required: a Measure\nstarcraft\n" in listed
    row = "toy,quadratic,{},default,0,laptop,1.0,"
    (tmp_path / "runs.csv").write_text(
        "domain,problem,method,variant,seed,scale,final_selected,final_reported\n"
        + "\n".join(row.format(method) for method in ("pbt", "grid"))
    )
    assert main(["claims", str(tmp_path / "runs.csv")]) == 0
    assert (
        "domain 'ninth': sweep.py: MEASURE is required: a Measure: nothing is judged of it" in capsys.readouterr().out
    )


def test_figures_that_are_none_are_refused(tmp_path, monkeypatch, capsys):
    """A forgotten ``return``."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", "toy", "pbt", "--quiet", "--set", "steps=8", "--out", "run"]) == 0
    monkeypatch.setattr(registry.analysis("toy"), "figures", lambda records: None)
    said = "domain 'toy': analysis.py: figures(records) = None must return the makers of figures by name"
    assert said in refused(capsys, "figure", "toy", "run", "--out", "figures")
