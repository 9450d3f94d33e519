"""Parameters of a factory, read from its source, are those that Python would tell."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from gengap.errors import GengapError
from gengap.planning.factories import Parameters, factory_parameters

SOURCE = """
from helping import helper
import os.path as path

raise_no_error = False

class Base:
    def __init__(self, width, *, depth=1):
        pass

class Net(Base):
    def forward(self):
        pass

class Foreign(path.__class__):
    pass

class Bare:
    pass

def make(first, /, width, dropout=0.0, *modules, bias, seed=0, **others):
    pass

if True:
    def within(width):
        pass

assigned = make
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "helping.py").write_text("def helper(height, make=3):\n    pass\n")
    path = tmp_path / "mynets.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("name", ["Base", "Net", "make", "helper"])
def test_they_are_those_of_the_signature(
    name: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(file.parent))
    spec = importlib.util.spec_from_file_location("mynets_of_this_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    by_name = [
        parameter
        for parameter in inspect.signature(getattr(module, name)).parameters.values()
        if parameter.kind in kinds
    ]
    assert factory_parameters(file, name) == Parameters(
        tuple(parameter.name for parameter in by_name),
        tuple(parameter.name for parameter in by_name if parameter.default is parameter.empty),
    )


@pytest.mark.parametrize("name", ["assigned", "Foreign", "Bare", "path", "within"])
def test_what_the_source_does_not_tell_is_left_to_the_job(name: str, file: Path) -> None:
    assert factory_parameters(file, name) is None


def test_a_name_that_the_file_lacks_is_refused(file: Path) -> None:
    with pytest.raises(GengapError, match=r"mynets\.py has no function or class 'Nett' at its"):
        factory_parameters(file, "Nett")
    file.write_text("def broken(:\n")
    with pytest.raises(GengapError, match=r"mynets\.py is no Python that can be read"):
        factory_parameters(file, "broken")
