import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from waiting import LONG

from reproductions.suite.cli import main, parser
from reproductions.suite.publish.readme import fill, readmes

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()


def test_the_readmes_tables_and_listings_are_those_of_the_files_they_name():
    """Nobody typed a number: results/reference and examples are the source."""
    for path in readmes(ROOT):
        assert fill(path.read_text(), ROOT) == path.read_text(), path


def test_the_readmes_example_runs_and_keeps_the_contract(tmp_path):
    """As a newcomer would: the file as a program, and its task in the conformance kit."""
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "digits.py"], capture_output=True, text=True, timeout=LONG, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    found = re.search(r"selected at ([\d.]+), held out ([\d.]+)", done.stdout)
    assert found, done.stdout
    assert float(found[2]) > 0.85
    check = "from digits import Digits; from pbt_core.testing import check_task; check_task(Digits())"
    subprocess.run([sys.executable, "-c", check], cwd=ROOT / "examples", check=True, timeout=LONG)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"python -m reproductions (\w+[^\n`]*)", README))))
def test_every_command_line_in_the_readme_is_one_that_the_parser_takes(command):
    """Options that were renamed do not survive in the documentation."""
    parsed = parser().parse_args(command.split("  #")[0].split())
    assert callable(parsed.do)


def test_every_make_target_in_the_readme_exists():
    """And is declared as what it is."""
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"make (demo|test|ui|report|bench|venv|lint)\b", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_file_the_readme_links_to_exists():
    """Pictures included."""
    prose = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", prose):
        assert (ROOT / link).exists(), link


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
