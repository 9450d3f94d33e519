"""A digest of the library code that a job reaches, so that an edit reruns exactly these jobs."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gengap.errors import GengapError

LIBRARY = Path(__file__).parents[1]
IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(gengap[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]*)"
    r"|import[ \t]+(gengap[\w., \t]*))",
    re.MULTILINE,
)
"""An import of the library's modules, as the formatter leaves it."""
TEXT = re.compile(r'""".*?"""', re.DOTALL)
"""A text over several lines, which may hold an example."""


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


def own_sources(path: Path) -> list[Path]:
    """Return a user's Python file and what it imports from its own folder, however deep.

    Args:
        path: the file, which must exist. Packages and modules beside it are found by their names,
            those of ``from . import`` too.

    Returns:
        Files below the folder of ``path``, sorted.

    Raises:
        GengapError: one of the files is no Python that can be read.
    """
    folder, pending, reached = path.parent, [path], set[Path]()
    while pending:
        source = pending.pop()
        if source not in reached:
            reached.add(source)
            pending.extend(_neighbours(source, folder))
    return sorted(reached)


def own_code_version(path: Path) -> str:
    """Return a digest of a user's Python file and of what it imports from its own folder.

    Args:
        path: the file, which must exist.

    Returns:
        Sixteen hexadecimal digits. They depend on contents and on the places below the folder.
    """
    digest = hashlib.sha256()
    for source in own_sources(path):
        digest.update(source.relative_to(path.parent).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _neighbours(source: Path, folder: Path) -> list[Path]:
    """Return the files that one file imports from a folder."""
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise GengapError(f"{source} is no Python that can be read ({error}): mend it.") from error
    names = list(_imported_names(tree))
    for node in _statements(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = source.parents[node.level - 1]
            if package == folder or folder in package.parents:
                inner = [*package.relative_to(folder).parts, *filter(None, [node.module])]
                names.append(".".join(inner))
                names += [".".join([*inner, alias.name]) for alias in node.names]
    files: list[Path] = []
    for name in filter(None, names):
        parts = name.split(".")
        files += [
            folder.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)
        ]
        files.append(folder.joinpath(*parts).with_suffix(".py"))
    return [file for file in files if file.is_file()]


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
    # The formatter settles how the library writes its imports; others may write them in any way.
    if path.is_relative_to(LIBRARY):
        names = library_names(_content(path))
    else:
        names = set(_imported_names(ast.parse(_content(path))))
    return tuple(file for name in names for file in _module_files(name))


def library_names(source: bytes) -> set[str]:
    """Return the dotted names of gengap that a source of the library imports.

    They are found by their lines: parsing all sources takes most of a second. That counts whenever
    Snakemake starts, on a cluster for each job.
    """
    names: set[str] = set()
    for module, imported, plain in IMPORT.findall(TEXT.sub("", source.decode())):
        entries = re.sub("#.*", "", imported or plain).strip("()").split(",")
        found = {entry.split()[0] for entry in entries if entry.strip()}
        names |= {f"{module}.{name}" for name in found} | {module} if module else found
    return names


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports; ``from a import b`` gives both a and a.b."""
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield all statements, wherever they stand; expressions, which are far more, hold none."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            pending.extend(getattr(node, part, ()))


@cache
def _module_files(module: str) -> tuple[Path, ...]:
    """Return the file of a gengap module and of each package around it; none for other names."""
    package, *parts = module.split(".")
    if package != "gengap":
        return ()
    files = [LIBRARY.joinpath(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    files.append(LIBRARY.joinpath(*parts).with_suffix(".py"))
    return tuple(path for path in files if path.is_file())
