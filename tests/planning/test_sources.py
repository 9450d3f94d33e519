"""The digest that stands for the library's version, and what planning itself imports."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gengap.errors import GengapError
from gengap.planning.sources import library_names, own_code_version, own_sources

SOURCE = "gengap.measures.baseline"


def version_in_copy(folder: Path, *sources: str) -> str:
    """The code version that a copy of the library computes."""
    command = f"from gengap.planning.sources import code_version; print(code_version(*{sources!r}))"
    return subprocess.run(
        [sys.executable, "-c", command], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


def edit(path: Path, text: str = "# an edit\n") -> None:
    with path.open("a") as file:
        file.write(text)


def test_the_code_version_sees_exactly_the_modules_that_are_reached(
    root: Path, tmp_path: Path
) -> None:
    library = tmp_path / "gengap"
    shutil.copytree(root / "src" / "gengap", library)
    first = version_in_copy(tmp_path, SOURCE)
    assert version_in_copy(tmp_path, SOURCE) == first
    edit(library / "figures" / "style.py")
    assert version_in_copy(tmp_path, SOURCE) == first
    edit(library / "networks" / "weights.py")
    second = version_in_copy(tmp_path, SOURCE)
    assert second != first
    edit(library / "errors.py")
    assert version_in_copy(tmp_path, SOURCE) not in {first, second}


@pytest.mark.parametrize(
    ("statement", "reached"),
    [
        ("from gengap.figures import style", True),
        ("from gengap.figures import (\n    labels,\n    style,\n)", True),
        ("import gengap.figures.style", True),
        ("import os, gengap.figures.style", True),
        ("from gengap.figures \\\n    import style", True),
        ("x = 1; from gengap.figures import style", True),
        ("def late():\n    from gengap.figures.style import save", True),
        ('TEXT = """\nfrom gengap.figures import style\n"""', False),
        ("# from gengap.figures import style", False),
        ("from gengap.figuresque import style", False),
    ],
)
def test_imports_are_read_from_the_syntax(
    statement: str, reached: bool, root: Path, tmp_path: Path
) -> None:
    library = tmp_path / "gengap"
    shutil.copytree(root / "src" / "gengap", library)
    (library / "figures" / "__init__.py").write_text("")
    source = tmp_path / "mine.py"
    source.write_text(statement + "\n")
    before = version_in_copy(tmp_path, str(source))
    edit(library / "figures" / "style.py")
    assert (version_in_copy(tmp_path, str(source)) != before) == reached


def test_lines_tell_the_imports_that_the_syntax_tree_has(root: Path) -> None:
    files = [*(root / "src").rglob("*.py"), *(root / "scripts").glob("*.py")]
    assert len(files) > 400
    for file in files:
        nodes = list(ast.walk(ast.parse(file.read_bytes())))
        plain = {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
        modules = {str(node.module) for node in froms}
        inner = {f"{node.module}.{alias.name}" for node in froms for alias in node.names}
        expected = {name for name in plain | modules | inner if name.split(".")[0] == "gengap"}
        assert library_names(file.read_bytes()) == expected, file


def test_planning_imports_nothing_that_computes() -> None:
    command = (
        "import sys, gengap.planning.plan, gengap.planning.targets, gengap.planning.resources, "
        "gengap.planning.starting, gengap.planning.summary, gengap.planning.sources\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & "
        "{'numpy', 'torch', 'pandas', 'sklearn', 'scipy', 'snakemake'}))"
    )
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_users_file_is_digested_with_what_it_imports_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "nets.py").write_text("import torch\nfrom parts.blocks import Block\n")
    (tmp_path / "parts" / "__init__.py").write_text("")
    (tmp_path / "parts" / "blocks.py").write_text("from . import sizes\n")
    (tmp_path / "parts" / "sizes.py").write_text("WIDTH = 3\n")
    (tmp_path / "other.py").write_text("")
    names = [path.relative_to(tmp_path).as_posix() for path in own_sources(tmp_path / "nets.py")]
    assert names == ["nets.py", "parts/__init__.py", "parts/blocks.py", "parts/sizes.py"]

    before = own_code_version(tmp_path / "nets.py")
    (tmp_path / "other.py").write_text("WIDTH = 4\n")
    assert own_code_version(tmp_path / "nets.py") == before
    (tmp_path / "parts" / "sizes.py").write_text("WIDTH = 4\n")
    assert own_code_version(tmp_path / "nets.py") != before
    (tmp_path / "nets.py").write_text("def broken(\n")
    with pytest.raises(GengapError, match=r"nets\.py is no Python"):
        own_sources(tmp_path / "nets.py")
