"""What the stages without a network need not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "persim", "ripser", "gudhi", "matplotlib")


def loaded(code: str, names: tuple[str, ...]) -> str:
    code += f"; import sys; print([name for name in {names} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


def test_topology_loads_none_of_the_heavy_libraries() -> None:
    code = (
        "import numpy as np, gengap.topology as t;"
        "bars = np.array([[0, .5]]); t.summarise([[bars, bars]] * 2);"
        "t.correlation_dissimilarity(np.eye(3))"
    )
    assert loaded(code, HEAVY) == "[]"


def test_importing_the_packages_of_diagrams_loads_numpy_alone() -> None:
    names = (*HEAVY, "numba", "scipy", "pandas", "http", "gengap.datasets")
    assert loaded("import gengap.topology, gengap.activations", names) == "[]"


@pytest.mark.slow
def test_the_packages_that_read_tables_do_not_load_torch() -> None:
    code = (
        "import gengap.datasets, gengap.tasks, gengap.measures, gengap.measures.gathering,"
        "gengap.evaluation, gengap.figures, gengap.dashboard"
    )
    assert loaded(code, ("torch",)) == "[]"
