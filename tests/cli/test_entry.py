"""The command as a whole: its help, its version, its exit status, and what it loads."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml

from gengap import __version__
from gengap.cli import eigenvalues, main
from gengap.cli.command import Command
from gengap.cli.entry import COMMANDS, command_parser
from gengap.curvature.operators import DTYPES
from gengap.curvature.report import MATRICES


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True)


def test_python_m_gengap_is_the_installed_script(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"gengap": "gengap.cli:main"}
    ran = python("-m", "gengap", "--help")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == command_parser().format_help()
    assert ran.stdout.startswith("usage: gengap ")


def test_the_status_is_that_of_the_process() -> None:
    ran = python("-m", "gengap", "score", "nowhere", "nowhere")
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")
    assert ran.stderr.count("\n") == 1


def test_help_loads_no_library_that_computes() -> None:
    """Each takes a second or more to import."""
    slow = {"torch", "numpy", "pandas", "scipy", "matplotlib", "dash", "sklearn", "yaml"}
    code = f"""
import sys
from gengap.cli.command import Command
from gengap.cli.entry import command_parser
import gengap
command_parser().format_help()
loaded = {slow} & set(sys.modules)
assert not loaded, loaded
"""
    ran = python("-c", code)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.slow
def test_packages_are_loaded_when_they_are_named() -> None:
    code = """
import sys
import gengap
assert "gengap.topology" not in sys.modules and "torch" not in sys.modules
assert "topology" in dir(gengap)
assert gengap.networks.build and "torch" in sys.modules
try:
    gengap.topologies
except AttributeError as error:
    assert "topologies" in str(error)
else:
    raise AssertionError
"""
    ran = python("-c", code)
    assert ran.returncode == 0, ran.stderr


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"gengap {__version__}\n"
    assert __version__ == importlib.metadata.version("gengap")


def test_the_citation_is_of_the_last_release(root: Path) -> None:
    changelog = (root / "CHANGELOG.md").read_text()
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    version, date = released[0]
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert (citation["version"], str(citation["date-released"])) == (version, date)
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["tool"]["setuptools_scm"]["fallback_version"] == version


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_has_examples_that_its_parser_takes(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command.name, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "examples:" in text
    assert textwrap.indent(command.examples, "  ") in text
    lines = command.examples.replace("\\\n", " ").splitlines()
    for line in lines:
        words = shlex.split(line.partition(" > ")[0])
        assert words[:2] == ["gengap", command.name]
        assert command_parser().parse_args(words[1:]).run is command.run


@pytest.mark.parametrize(
    "arguments", [[], ["predict"], ["score", "one"], ["dashboard", "x", "--port", "ten"]]
)
def test_a_faulty_command_line_has_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: gengap" in capsys.readouterr().err


def test_the_choices_of_eigenvalues_are_the_registries() -> None:
    assert tuple(MATRICES) == eigenvalues.MATRICES
    assert tuple(DTYPES) == eigenvalues.DTYPES


def test_a_reader_that_leaves_early_is_no_traceback(root: Path) -> None:
    """``gengap ... | head`` closes the pipe before all is written."""
    code = """
import os, sys
from gengap.cli import entry, main
from gengap.cli.command import Command
def run(options):
    for _ in range(10_000):
        print("row")
entry.COMMANDS = (Command("score", "print rows", "gengap score", lambda parser: None, run),)
sys.exit(main(["score"]))
"""
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait() == 1
