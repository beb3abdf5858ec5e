"""Pages say what is so: their numbers, listings, commands, links and names of files are held against what is there."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

import pbt_core
from reproductions.suite.cli import main, parser
from reproductions.suite.publish.readme import bench, fill, readmes
from reproductions.suite.results import tables
from reproductions.suite.study import configuration, registry
from reproductions.suite.study.names import RunName
from reproductions.suite.study.requested import RequestedRuns

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def without_code(text):
    """A page's prose: listings say what they say elsewhere."""
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


PAGES = [
    path for path in ROOT.rglob("*.md") if not set(path.relative_to(ROOT).parts) & {".venv", "build", "results", "data"}
]
PROSE = {path: without_code(path.read_text()) for path in PAGES}
ALL = "\n".join(PROSE.values())


def test_the_readmes_tables_and_listings_are_those_of_the_files_they_name():
    """Nobody typed a number: results/reference and examples are the source."""
    for path in readmes(ROOT):
        assert fill(path.read_text(), ROOT) == path.read_text(), path


def interval(value, low, high, written):
    """``value [low, high]`` as in the text, with as many decimals as ``written`` has; and with its signs turned."""
    decimals = len(written.partition(".")[2])
    ways = ((value, low, high), (-value, -high, -low))
    return {tuple(f"{number:.{decimals}f}" for number in way) for way in ways}


@pytest.mark.parametrize("page", ["README.md", "reproductions/gan/README.md", "reproductions/translation/README.md"])
def test_every_interval_in_prose_is_one_of_the_kept_claims(page):
    """Sentences are typed; what is measured again changes their numbers, and then this fails."""
    claims = tables.read(ROOT / "results/reference/laptop/claims.csv").dropna(subset="ours")
    prose = re.sub(r"<!-- [a-z]+: .*?<!-- end -->", "", PROSE[ROOT / page], flags=re.DOTALL)
    said = re.findall(r"(\d+(?:\.\d+)?)\s+\[(-?\d+(?:\.\d+)?), (-?\d+(?:\.\d+)?)\]", prose)
    assert len(said) > 3
    for numbers in said:
        known = [interval(row.ours, row.ours_low, row.ours_high, numbers[0]) for row in claims.itertuples()]
        assert any(numbers in ways for ways in known), numbers


def test_how_many_runs_of_a_study_are_kept_is_said_right_on_every_page():
    """As ``29 of 168``, or in the table of docs/evidence.md."""
    config = configuration.overlaid([ROOT / "config/config.yaml"])
    configuration.complete(config, ROOT / "workflow/schemas/config.schema.yaml")
    studies = defaultdict(set)
    for experiment, chosen in config["experiments"].items():
        studies[chosen["domain"]] |= set(RequestedRuns(config).runs("experiments", experiment))
    rows = tables.read(ROOT / "results/reference/laptop/runs.csv")[["domain", "problem", "method", "variant", "seed"]]
    finished = {RunName("laptop", *row) for row in rows.itertuples(index=False)}
    kept = defaultdict(set)  # studies may have equally many runs
    for runs in studies.values():
        kept[len(runs)].add(len(runs & finished))
    pages = [ROOT / "README.md", ROOT / "docs/evidence.md", *ROOT.glob("reproductions/*/README.md")]
    text = "\n".join(PROSE[page] for page in pages)
    said = re.findall(r"(\d+)(?: runs)? of (?:the )?(\d+)\b", text)
    in_the_table = re.findall(r"^\| \w+ \| (\d+) \| (all|\d+)[ :]", text, re.MULTILINE)
    said += [(of if there == "all" else there, of) for of, there in in_the_table]
    counts = {(int(there), int(of)) for there, of in said if int(of) in kept}
    assert len(counts) > 5
    assert all(there in kept[of] for there, of in counts), counts


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m reproductions (\w+[^\n`]*)", ALL))))
def test_every_command_line_in_the_pages_is_one_that_the_parser_takes(command):
    """Options that were renamed do not survive in the documentation."""
    words = [word for word in command.split("  #")[0].replace("NAME", "toy").split() if word != "..."]
    if len(words) == 1:  # only its name is mentioned
        with pytest.raises(SystemExit, match=r"^0$"):
            parser().parse_args([*words, "--help"])
    else:
        assert callable(parser().parse_args(words).do)


def test_every_make_target_in_the_pages_exists():
    """In a listing, where a line begins with it, or in backticks; prose may make things too."""
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:^ {4,}|`)make ([a-z][\w-]*)", ALL, re.MULTILINE))
    assert named >= {"demo", "test", "ui", "paper", "chaos"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_relative_link_in_a_page_resolves():
    """Pictures included; links into a page, to one of its headings."""
    for path, prose in PROSE.items():
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", prose):
            file, _, heading = link.partition("#")
            place = path.parent / file if file else path
            assert place.exists(), f"{path}: {link}"
            assert not heading or heading in headings(place), f"{path}: {link}"


def headings(page):
    """The anchors of a page's headings, as sites that show Markdown make them."""
    titles = re.findall(r"^#+ (.*)$", without_code(page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


#: What is made when things are run or installed, and so is not there in a fresh checkout, or is a place of the reader's own.
MADE = ("results/", "data/", "figures/", "build/", ".venv/")


def test_every_file_that_a_page_names_exists():
    """Names in backticks that have a folder and an ending, or that end with a slash: relative to the root or to the page."""
    for path, prose in PROSE.items():
        for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)*/[\w.-]*|[\w-]+\.(?:py|yaml|toml|cff|smk))`", prose):
            looks_like_a_file = name.endswith("/") or "." in name.rpartition("/")[2]
            kept = name.startswith("results/reference/") or not name.startswith(MADE)
            if looks_like_a_file and kept and not set(name.split("/")) & {"DOMAIN", "NAME", "STUDY"}:
                assert any(place.exists() for place in places(path, name)), f"{path}: {name}"


def places(page, name):
    """Where a file that a page names may be: below the root, beside the page, or, by its name alone, in a package."""
    yield from (ROOT / name, page.parent / name, ROOT / "pbt_core" / name)
    if "/" not in name:
        yield from ROOT.glob(f"pbt_core/**/{name}")
        yield from ROOT.glob(f"reproductions/*/{name}")


def test_the_api_pages_are_made_without_a_warning(tmp_path):
    """Public names are on them; modules that only the library itself needs are not."""
    pytest.importorskip("pdoc", reason="the extra docs is not installed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ROOT / "docs" / "api.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "pbt_core.html").read_text()
    assert all(f'id="{name}"' in page for name in pbt_core.__all__)
    assert (tmp_path / "pbt_core" / "torch_task.html").exists()
    assert (tmp_path / "reproductions" / "suite" / "results" / "claims.html").exists()
    assert not (tmp_path / "pbt_core" / "driver.html").exists()


def test_the_readme_begins_with_what_a_newcomer_needs():
    """Within its first screen: what this is, the two commands, a picture, and every domain that there is."""
    beginning = README.split("\n## ")[0]
    assert re.findall(r"^    make (\w+)", beginning, re.MULTILINE) == ["demo", "test"]
    assert beginning.index("make test") < beginning.index("![") < beginning.index("| domain |")
    for domain in registry.domains():
        assert f"(reproductions/{domain}/README.md)" in beginning


def test_the_conda_environment_and_the_package_ask_for_the_same():
    """environment.yml installs the project itself with the extras that `make venv` installs."""
    extras = re.search(r"-e '\.\[([\w,]+)\]'", (ROOT / "Makefile").read_text())[1]
    pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert f"-e .[{extras}]" in pip
    assert "-c constraints.txt" in pip
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras.split(",")) <= declared.keys()


def test_every_direct_dependency_is_pinned():
    """constraints.txt names an exact version for each, so that two installations are equal."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    wanted = [
        *project["dependencies"],
        *(d for name, extra in project["optional-dependencies"].items() if name != "peers" for d in extra),
    ]
    names = {re.match(r"[\w-]+", dependency)[0].lower().replace("_", "-") for dependency in wanted}
    assert names - {project["name"]} <= pinned  # an extra may be made of others


def test_the_list_of_domains_can_be_printed(capsys):
    """The first thing a newcomer tries."""
    assert main(["list"]) == 0
    assert "random_search" in capsys.readouterr().out


def test_figures_of_a_benchmark_that_belong_together_are_columns_and_others_stand_below(tmp_path):
    figures = {"20 ms": {"over_bare": 1.05, "peer": 5.0}, "1 s": {"over_bare": 1.001}, "toy_s": 0.5, "measured": [1.0]}
    (tmp_path / "cost.json").write_text(json.dumps(figures))
    assert bench(tmp_path / "cost.json").splitlines() == [
        "| measure | 20 ms | 1 s |",
        "|---|---|---|",
        "| over bare | 1.05 | 1.001 |",
        "| peer | 5 | - |",
        "",
        "| measure | value |",
        "|---|---|",
        "| toy s | 0.5 |",
    ]
