"""What ``pip install .`` installs, and leaves behind."""

import subprocess
import sys
import zipfile

import pytest
from checkouts import ROOT, copied

pytest.importorskip("setuptools", minversion="77", reason="the build backend is not installed")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A checkout in which a wheel was built, and the wheel."""
    folder, wheels = copied(tmp_path_factory.mktemp("checkout")), tmp_path_factory.mktemp("wheels")
    for name in ("README.md", "LICENSE", ".gitignore"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    for command in (["git", "init", "--quiet"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=folder, check=True)
    pip("wheel", "--no-build-isolation", "--wheel-dir", wheels, folder)
    (wheel,) = wheels.iterdir()
    return folder, wheel


def pip(command, *arguments):
    subprocess.run(
        [sys.executable, "-m", "pip", command, "--quiet", "--no-index", "--no-deps", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )


def test_a_wheel_holds_the_library_alone(built):
    """No top-level name that a user would not expect; the library whole, and marked as typed."""
    names = zipfile.ZipFile(built[1]).namelist()
    assert {name.split("/")[0] for name in names} == {"pbt_core", "pbt_suite-0.1.0.dist-info"}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "pbt_core").rglob("*.py")}
    assert sources | {"pbt_core/py.typed"} <= set(names)


def test_building_leaves_nothing_unignored_in_the_checkout(built):
    """What setuptools writes beside the sources is in .gitignore."""
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    status = subprocess.run(command, cwd=built[0], check=True, capture_output=True, text=True).stdout
    assert [line for line in status.splitlines() if line.startswith("??")] == []


def test_what_a_wheel_installs_runs_away_from_the_checkout(built, tmp_path):
    """PBT on a task, in worker processes, as a user of the library would."""
    pip("install", "--target", tmp_path / "site", built[1])
    # -S: not what is installed here, which may be this very checkout. Its other packages come last, behind Python's own
    # modules, one of which a package of the same name (enum34) would hide.
    packages = sorted({path for path in sys.path if path.endswith("site-packages")})
    program = tmp_path / "program.py"
    program.write_text(
        "import importlib.util, sys\n"
        f"sys.path += {packages!r}\n"
        "from pathlib import Path\n"
        "import pbt_core\n"
        "from pbt_core import PBT, Plan, Processes\n"
        "from pbt_core.testing import Hill\n"
        "if __name__ == '__main__':\n"
        "    assert importlib.util.find_spec('reproductions') is None\n"
        "    run = Processes(workers=2).run(Hill(), PBT(ready=10), Plan(4, 40, 10), Path('run'))\n"
        "    print(Path(pbt_core.__file__).parent.parent.name, run.finished)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", program],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["site", "True"]), done.stderr
