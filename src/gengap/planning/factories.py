"""The parameters of a user's factory, read from its source without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

from gengap.errors import GengapError
from gengap.planning.sources import own_sources

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Parameters:
    """What a factory can be called with.

    Attributes:
        names: the parameters that can be given by name.
        required: those of them without a default.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]


def factory_parameters(path: Path, name: str) -> Parameters | None:
    """Return the parameters of a function, or of a class's ``__init__``.

    Args:
        path: the Python file that has or imports the factory.
        name: of the function or class.

    Returns:
        The parameters; None where the source does not tell, as for a name that is assigned, or a
        class whose base lies in another package.

    Raises:
        GengapError: the file is no Python that can be read, or knows no such name.
    """
    definitions: dict[str, _Definition] = {}
    for source in [*own_sources(path), path]:
        # What the file itself defines comes last, and counts.
        tree = ast.parse(source.read_bytes())
        definitions |= {node.name: node for node in tree.body if isinstance(node, _Definition)}
    if name in definitions:
        return _parameters(definitions[name], definitions)
    if not _may_bind(ast.parse(path.read_bytes()), name):
        raise GengapError(
            f"{path} has no function or class '{name}' at its top level: name one that it has."
        )
    return None


def _parameters(node: _Definition, known: dict[str, _Definition]) -> Parameters | None:
    """Return the parameters of a definition; those of a class are its own or a known base's."""
    if not isinstance(node, ast.ClassDef):
        return _of_function(node, bound=False)
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and member.name == "__init__":
            return _of_function(member, bound=True)
    for base in node.bases:
        definition = known.get(base.id) if isinstance(base, ast.Name) else None
        if definition is not None and definition is not node:
            return _parameters(definition, known)
    return None


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef, *, bound: bool) -> Parameters:
    arguments = node.args
    ordered = [*arguments.posonlyargs, *arguments.args]
    without_default = len(ordered) - len(arguments.defaults)
    by_name = [
        (argument.arg, place < without_default)
        for place, argument in enumerate(ordered)
        if argument in arguments.args and not (bound and place == 0)
    ]
    by_name += [
        (argument.arg, default is None)
        for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    return Parameters(
        tuple(name for name, _ in by_name), tuple(name for name, needed in by_name if needed)
    )


def _may_bind(tree: ast.Module, name: str) -> bool:
    """Whether a module imports, assigns or defines a name anywhere, or may import it by a star."""
    for node in ast.walk(tree):
        if isinstance(node, _Definition) and node.name == name:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) in (name, "*"):
            return True
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
    return False
