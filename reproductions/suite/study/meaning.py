"""What a Python module does, apart from how it is written: its syntax tree without all that cannot change a result.

Left out are comments, formatting, docstrings, the annotations of functions and of variables, ``if TYPE_CHECKING:``,
``@overload`` and ``__all__``, and imports that serve only these. Annotations in the bodies of classes stay: there they are
the fields of dataclasses and pydantic models, and decide what is checked and in which order.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

Scope = Literal["module", "class", "function"]

#: Decorators that read the annotations of the function below them: with these, they stay.
READERS = frozenset({"register", "validate_call", "computed_field", "field_serializer", "model_serializer"})
#: Fields of syntax nodes that say how a thing is written, or follow from the rest.
_WRITING = frozenset({"ctx", "kind", "type_comment", "type_ignores", "type_params", "simple"})


@dataclass(frozen=True)
class Meaning:
    """Equal ``text`` means equal results. ``imports`` are the modules, or names in modules, that the module may load."""

    text: str
    imports: tuple[str, ...]


def meaning(
    tree: ast.Module,
    package: str,
    ignored: Callable[[str], bool] = lambda module: False,
    unread: Collection[str] = (),
) -> Meaning:
    """The meaning of a module, whose relative imports start from ``package``. The tree loses its annotations.

    Imports of modules that are ``ignored`` are no part of the text, nor are the module's names in ``unread``, and private
    ones that only these use.
    """
    walk = _Walk(package, ignored, _with_helpers(tree, frozenset(unread)))
    walk.statements(tree.body, "module")
    return walk.result()


class _Walk:
    """One walk over a module. Imports are written at its end, when it is known which names were used for what."""

    def __init__(self, package: str, ignored: Callable[[str], bool], unread: frozenset[str]) -> None:
        self._package, self._ignored, self._unread = package, ignored, unread
        self._parts: list[str] = []
        self._imports: dict[int, ast.Import | ast.ImportFrom] = {}  # by their place among the parts
        self._loaded: list[str] = []
        self._used: set[str] = set()
        self._skipped: set[str] = set()
        self._annotated = False  # whether annotations of the function at hand stay

    def result(self) -> Meaning:
        for place, node in self._imports.items():
            self._parts[place] = self._import(node)
        return Meaning(" ".join(filter(None, self._parts)), tuple(dict.fromkeys(self._loaded)))

    def statements(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for node in body:
            match node:
                case ast.Pass() | ast.Expr(value=ast.Constant()):  # docstrings too
                    pass
                case ast.If() if (known := _type_checking(node)) is not None:
                    self.statements(known, scope)
                case ast.Import() | ast.ImportFrom():
                    self._imports[len(self._parts)] = node
                    self._parts.append("")
                case _ if scope == "module" and declared(node) in self._unread:
                    self._skip(node)
                case ast.AnnAssign() if scope != "class":
                    self._skip(node.annotation)
                    if node.value is not None:
                        self.statements([ast.Assign([node.target], node.value)], scope)
                case ast.Assign(targets=[ast.Name(id="__all__")]) if scope == "module":
                    self._used |= {str(part.value) for part in ast.walk(node.value) if isinstance(part, ast.Constant)}
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(node)
                case ast.ClassDef():
                    self._node(node, "class")
                case _:
                    self._node(node, scope)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = {_last_name(decorator) for decorator in node.decorator_list}
        if "overload" in decorators:
            self._skip(node)
            return
        outer, self._annotated = self._annotated, bool(decorators & READERS)
        if not self._annotated and node.returns is not None:
            self._skip(node.returns)
            node.returns = None
        self._node(node, "function")
        self._annotated = outer

    def _node(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Name):  # most nodes are these two: they come first, to save time
            self._used.add(node.id)
            self._parts.append(node.id)
            return
        if isinstance(node, ast.Constant):
            self._parts.append(repr(node.value))
            return
        if isinstance(node, ast.Call) and _last_name(node) == "import_module":
            self._loaded += [str(part.value) for part in node.args[:1] if isinstance(part, ast.Constant)]
        elif isinstance(node, ast.arg) and node.annotation is not None and not self._annotated:
            self._skip(node.annotation)
            node.annotation = None
        tell = self._parts.append
        tell(f"{type(node).__name__}(")
        for name in node._fields:
            value = getattr(node, name, None)
            # A field that is empty in one version of Python may not exist in another.
            if value is None or value == [] or name in _WRITING:
                continue
            tell(f"{name}=")
            if isinstance(value, ast.AST):
                self._node(value, scope)
            elif not isinstance(value, list):
                tell(repr(value))
            elif isinstance(value[0], ast.stmt):
                self.statements(value, scope)
            else:
                self._items(value, scope)
        tell(")")

    def _items(self, values: Sequence[object], scope: Scope) -> None:
        """Expressions, or names; None stands for the key of ``**more`` in a dictionary."""
        for value in values:
            if isinstance(value, ast.AST):
                self._node(value, scope)
            else:
                self._parts.append(repr(value))
            self._parts.append(",")

    def _skip(self, node: ast.AST) -> None:
        self._skipped |= _names(node)

    def _import(self, node: ast.Import | ast.ImportFrom) -> str:
        """The text of an import, whose modules are noted as loaded."""
        source = _absolute(node, self._package) if isinstance(node, ast.ImportFrom) else ""
        kept = []
        for alias in node.names:
            bound = alias.asname or alias.name.partition(".")[0]
            module = f"{source}.{alias.name}" if source else alias.name
            if source == "__future__" or (bound in self._skipped and bound not in self._used):
                continue
            self._loaded += [source, module] if source else [module]
            if not self._ignored(module):
                kept.append(f"{module} as {bound}")
        return f"import({', '.join(sorted(kept))})" if kept else ""


def declared(node: ast.stmt) -> str | None:
    """The one name that a statement assigns or defines; None if it does anything else."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return name
    return None


def _with_helpers(tree: ast.Module, names: frozenset[str]) -> frozenset[str]:
    """``names``, and the private names of a module that nothing else in it uses."""
    if not names:
        return names
    used = [(declared(node), _names(node)) for node in tree.body]
    while True:
        read = set().union(*(parts - {name or ""} for name, parts in used if name not in names))
        more = {name for name, _ in used if name and name.startswith("_") and name not in read} - names
        if not more:
            return names
        names |= more


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _type_checking(node: ast.If) -> list[ast.stmt] | None:
    """What runs of ``if TYPE_CHECKING:`` outside type checkers; None for any other condition."""
    match node.test:
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return node.orelse
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
            return node.body
    return None


def _last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c`` and of ``a.b.c(...)``."""
    match node:
        case ast.Call():
            return _last_name(node.func)
        case ast.Attribute():
            return node.attr
        case ast.Name():
            return node.id
    return ""


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module that names are imported from: ``package`` itself for one dot, its parents for more."""
    if not node.level:
        return node.module or ""
    parents = package.split(".")
    base = parents[: len(parents) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])
