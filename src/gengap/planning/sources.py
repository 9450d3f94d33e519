"""A digest of the library code that a job reaches, so that an edit reruns exactly these jobs."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

LIBRARY = Path(__file__).parents[1]


def code_version(*sources: Path | str) -> str:
    """Return a digest of Python sources and of every gengap module that they import, however deep.

    Snakemake does not see library modules. As a parameter of a rule, the digest makes an edit of
    the library rerun exactly the jobs whose script reaches the edited module.

    Args:
        sources: files, or names of gengap's modules where one is reached by name at run time.

    Returns:
        Sixteen hexadecimal digits.
    """
    pending = [path for source in sources for path in _files(source)]
    reached: set[Path] = set()
    while pending:
        path = pending.pop()
        if path not in reached:
            reached.add(path)
            pending.extend(_imports(path))
    digest = hashlib.sha256()
    for path in sorted(reached):
        digest.update(path.name.encode())
        digest.update(_content(path))
    return digest.hexdigest()[:16]


def _files(source: Path | str) -> tuple[Path, ...]:
    if isinstance(source, Path) or source.endswith(".py"):
        return (Path(source),)
    return _module_files(source)


@cache
def _content(path: Path) -> bytes:
    return path.read_bytes()


@cache
def _imports(path: Path) -> tuple[Path, ...]:
    """Return the files of the gengap modules that one file imports, wherever the import stands."""
    if path.suffix != ".py":
        return ()
    return tuple(
        file for name in _imported_names(ast.parse(_content(path))) for file in _module_files(name)
    )


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports; ``from a import b`` gives both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _module_files(module: str) -> tuple[Path, ...]:
    """Return the file of a gengap module and of each package around it; none for other names."""
    package, *parts = module.split(".")
    if package != "gengap":
        return ()
    files = [LIBRARY.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    files.append(LIBRARY.joinpath(*parts).with_suffix(".py"))
    return tuple(path for path in files if path.is_file())
