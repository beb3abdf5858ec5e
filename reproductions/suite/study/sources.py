"""Which sources can change a run, and a digest that stays the same while nothing that can change it does.

Snakemake makes a run again when its digest changes, so an edited comment, engine or figure, or another search method, must
not change it, and an edited number anywhere below its task or its own method must. The sources are those of this repository's
packages that are reached by imports from the task and the sweep of the domain, from the kind of the search method, and from
the composition of a run; nothing is imported to find them. What they mean is ``reproductions.suite.study.meaning``. What a
sweep declares as settings counts where it was chosen: in the settings of a run, which Snakemake compares beside this digest.
Versions of other packages are in a run's provenance, not here.

Tables, figures and verdicts have a digest too, of the modules that make them from finished runs: in it figures count, and so
does what a sweep declares for axes and claims.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reproductions.suite.study.meaning import declared, meaning
from reproductions.suite.study.registry import ConfigError

ROOT = Path(__file__).parents[3]
PACKAGES = ("pbt_core", "baselines", "reproductions")
#: What every run is made by; what they import follows.
COMPOSITION = ("reproductions.suite.running.execute", "reproductions.suite.study.settings")

#: Modules and packages that cannot change a number, and why. What they import counts all the same: engines lead to the
#: decisions that they carry out.
LEFT_OUT: Mapping[str, str] = {
    "pbt_core.engines": "carry a run out: all of them write the same record, which their tests hold them to",
    "pbt_core.leases": "are how the workers of one engine share a run",
    "pbt_core.checking": "refuses what cannot be run, before any work",
    "pbt_core.failures": "says what went wrong, and decides nothing",
    "pbt_core.remarks": "says what the method cannot do in a run",
    "pbt_core.recorded": "is a task of its own, which no domain trains",
    "pbt_core.files": "writes files at once or not at all",
    "pbt_core.testing": "checks tasks, methods and engines",
    "reproductions.gan.batched": "trains members as one program: the form is in a run's numerics",
    "reproductions.shared.rl.batched": "trains members as one program: the form is in a run's numerics",
    "reproductions.shared.stacked": "trains members as one program: the form is in a run's numerics",
    "reproductions.shared.assets": "fetches and keeps what is checked by its checksum wherever it comes from",
    "reproductions.suite.figures": "shows what runs have recorded",
    "reproductions.suite.study.meaning": "is part of this digest",
    "reproductions.suite.running.accelerators": "looks up devices: what differs with them is in a run's numerics",
    "reproductions.suite.running.clusters": "describes the workers of a simulated run, which is how it is carried out",
    "reproductions.suite.running.execution": "says how a run is carried out: what differs with it is in a run's numerics",
    "reproductions.suite.running.progress": "shows a run while it goes on",
    "reproductions.suite.running.provenance": "says where a run comes from",
    "baselines.extras": "says how packages are installed",
    "reproductions.suite.study.contract": "refuses a domain that cannot be read",
    "reproductions.suite.study.requirements": "says whether runs can be made here",
    "reproductions.suite.study.sources": "is this digest",
    "reproductions.suite.publish.tracking": "shows what runs have recorded",
}
#: Modules that name all search methods. They are no sources, nor is what they import: the method of a run is found by its kind.
CATALOGUES = ("baselines", "reproductions.suite.study.kinds")
#: What a sweep declares for axes, tables, readers and planning; no run's numbers depend on it.
LOOKS = ("MEASURE", "EXPECTED", "REQUIRES", "FIGURES")
#: What a sweep declares of settings, which a run has in full.
CHOICES = ("PROBLEMS", "SCALES", "METHODS")
#: What is left out of a run and counts in what is made from runs.
SHOWN = "reproductions.suite.figures"


def sources_digest(domain: str, kind: str, root: Path = ROOT) -> str:
    """SHA-256 (16 digits) of what can change a run of ``domain`` by a search method of this ``kind``.

    ConfigError if there is no such domain or kind, or a source is no Python.
    """
    return _digest(sources(domain, kind, root))


def results_digest(modules: Iterable[str], root: Path = ROOT) -> str:
    """SHA-256 (16 digits) of what these modules, which make results from finished runs, and all that they import mean.

    ConfigError if there is no such module, or a source is no Python.
    """
    return _digest(results_sources(modules, root))


@dataclass(frozen=True)
class Source:
    """A module, or a file that a sweep names in ``SOURCES``; ``digest`` is of its meaning, or of its bytes."""

    path: Path
    digest: str


def sources(domain: str, kind: str, root: Path = ROOT) -> dict[str, Source]:
    """What can change such a run: modules by their dotted names, other files by their paths below ``root``."""
    sweep = f"reproductions.{domain}.sweep"
    if not (root / "reproductions" / domain / "sweep.py").is_file():
        known = sorted(path.parent.name for path in (root / "reproductions").glob("*/sweep.py"))
        raise ConfigError(f"domain = {domain!r} must be one of {known}")
    modules = _reached(domain, kind, root)
    from_imports = {name: Source(path, module.digest) for name, (path, module) in modules.items()}
    return from_imports | _declared(sweep, root)


def results_sources(modules: Iterable[str], root: Path = ROOT) -> dict[str, Source]:
    """These modules, which make results from finished runs, and all that they import, by their dotted names."""
    modules = list(modules)
    for name in modules:
        if _file(name, root) is None:
            raise ConfigError(f"module = {name!r}: there is no such module")
    closure = _closure(modules, root, of_results=True)
    return {name: Source(path, module.digest) for name, (path, module) in closure.items()}


def foreign(domain: str, kind: str, root: Path = ROOT) -> set[str]:
    """The top-level modules of other packages that those of ``sources`` may import, Python's own left out."""
    modules = [module for _, module in _reached(domain, kind, root).values()]
    tops = {name.partition(".")[0] for module in modules for name in module.imports}
    return tops - set(PACKAGES) - sys.stdlib_module_names


def _reached(domain: str, kind: str, root: Path) -> dict[str, tuple[Path, _Module]]:
    """The modules of this repository that imports lead to from the task, the method and the composition of a run."""
    task, sweep = (f"reproductions.{domain}.{name}" for name in ("task", "sweep"))
    return _closure([task, sweep, _method(kind, root), *COMPOSITION], root)


def _closure(modules_to_begin: Iterable[str], root: Path, of_results: bool = False) -> dict[str, tuple[Path, _Module]]:
    """These modules and those that they reach by imports, without those that are left out."""
    modules: dict[str, tuple[Path, _Module]] = {}
    reached: set[str] = set(CATALOGUES)
    pending = list(modules_to_begin)
    while pending:
        name = pending.pop()
        if name in reached or name.partition(".")[0] not in PACKAGES:
            continue
        reached.add(name)
        # Importing a module runs its packages first; and a name in a package may be a module or not.
        pending += [name.rpartition(".")[0]]
        if (path := _file(name, root)) is None:
            continue
        module = _read(name, path, of_results)
        pending += module.imports
        if not left_out(name) or (of_results and _is_in(name, SHOWN)):
            modules[name] = path, module
    return modules


def _method(kind: str, root: Path) -> str:
    """The module that declares a kind of search method, as the table of kinds imports it."""
    table = ast.parse((root / "reproductions/suite/study/kinds.py").read_bytes())
    origins = {
        alias.asname or alias.name: node.module or ""
        for node in table.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    (methods,) = (node for node in table.body if declared(node) == "METHOD")
    named = {
        key.value: value.id
        for part in ast.walk(methods)
        if isinstance(part, ast.Dict)
        for key, value in zip(part.keys, part.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Name)
    }
    if kind not in named:
        raise ConfigError(f"kind = {kind!r} must be one of {list(named)}")
    return origins[named[kind]]


def left_out(module: str) -> bool:
    """Whether a module, or the package that it is in, is one of LEFT_OUT."""
    return any(_is_in(module, name) for name in LEFT_OUT)


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def meaning_digest(path: Path) -> str:
    """SHA-256 of what the module in a file does, however it is written."""
    return _sha256(meaning(ast.parse(path.read_bytes()), path.parent.name).text.encode())


def _file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    return next((file for file in (path / "__init__.py", path.with_name(f"{path.name}.py")) if file.is_file()), None)


@dataclass(frozen=True)
class _Module:
    digest: str
    imports: tuple[str, ...]
    files: tuple[str, ...]


#: By name and file; a file with another size or time is read again. Snakemake asks for every run.
_known: dict[tuple[str, Path, bool], tuple[tuple[int, int], _Module]] = {}


def _read(name: str, path: Path, of_results: bool = False) -> _Module:
    """A module as runs or as results see it, which differs for few: sweeps, and whatever imports figures."""
    about = path.stat()
    stamp = (about.st_mtime_ns, about.st_size)
    held = _known.get((name, path, of_results))
    if held is None or held[0] != stamp:
        module = _parsed(name, path) if not of_results else _read(name, path)
        if of_results and (_is_sweep(name) or any(_is_in(imported, SHOWN) for imported in module.imports)):
            module = _parsed(name, path, of_results)
        held = _known[name, path, of_results] = (stamp, module)
    return held[1]


def _is_sweep(name: str) -> bool:
    return name.startswith("reproductions.") and name.endswith(".sweep")


def _parsed(name: str, path: Path, of_results: bool = False) -> _Module:
    sweep = _is_sweep(name)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:  # a null byte is a ValueError
        raise ConfigError(f"{path}: no Python: {error}") from None
    files = _literal(tree, "SOURCES") if sweep else ()
    if of_results:
        understood = meaning(tree, package, lambda module: left_out(module) and not _is_in(module, SHOWN))
    else:
        understood = meaning(tree, package, left_out, (*LOOKS, *CHOICES) if sweep else ())
    return _Module(_sha256(understood.text.encode()), understood.imports, files)


def _literal(tree: ast.Module, name: str) -> tuple[str, ...]:
    """The strings that a module assigns to ``name``; none if it does not."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and declared(node) == name and node.value is not None:
            return tuple(ast.literal_eval(node.value))
    return ()


def _declared(sweep: str, root: Path) -> dict[str, Source]:
    """The files that a sweep names in SOURCES because a run reads them and no import shows it."""
    path = _file(sweep, root)
    assert path is not None
    declared = {}
    for name in _read(sweep, path).files:
        place = root / name
        if not place.exists():
            raise ConfigError(f"{path}: SOURCES names {name!r}, which is not there")
        files = sorted(file for file in place.rglob("*") if file.is_file()) if place.is_dir() else [place]
        for file in files:
            declared[str(file.relative_to(root))] = Source(file, _sha256(file.read_bytes()))
    return declared


def _digest(sources: Mapping[str, Source]) -> str:
    sha = hashlib.sha256()
    for name, source in sorted(sources.items()):
        sha.update(f"{name}\0{source.digest}\0".encode())
    return sha.hexdigest()[:16]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
