"""What a user of the library sees: every public name is explained where it is defined."""

import ast
import inspect
from pathlib import Path

import pytest

import pbt_core


def body_of_the_defining_module(name):
    """The statements of the module of pbt_core that assigns a name."""
    for path in Path(pbt_core.__file__).parent.rglob("*.py"):
        body = ast.parse(path.read_text()).body
        if any(name in assigned(node) for node in body):
            return body
    raise AssertionError(f"no module of pbt_core assigns {name}")


def assigned(node):
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def has_words_of_its_own(value):
    """Not those that a dataclass makes of its fields, nor a base class's."""
    words = (value.__doc__ or "").strip()
    return bool(words) and not words.startswith(f"{value.__name__}(")


@pytest.mark.parametrize("name", pbt_core.__all__)
def test_every_public_name_has_a_docstring(name):
    """Classes and functions in them, constants and types below their definition; public methods too."""
    value = getattr(pbt_core, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)) or value.__module__ == "builtins":
        body = body_of_the_defining_module(name)
        place = next(i for i, node in enumerate(body) if name in assigned(node))
        below = body[place + 1]
        assert isinstance(below, ast.Expr), name
        assert isinstance(below.value.value, str), name
        return
    assert value.__module__.startswith("pbt_core."), name
    assert has_words_of_its_own(value), name
    if inspect.isclass(value):
        for method, function in vars(value).items():
            function = getattr(function, "fget", None) or getattr(function, "func", None) or function
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function) and not method.startswith("_"):
                assert function.__doc__, f"{name}.{method}"


def test_all_public_names_are_listed_once():
    """And nothing is public by accident."""
    assert len(pbt_core.__all__) == len(set(pbt_core.__all__))
    assert {
        name for name in vars(pbt_core) if not name.startswith("_") and not inspect.ismodule(getattr(pbt_core, name))
    } == {*pbt_core.__all__}
