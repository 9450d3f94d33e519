"""Each example of the gallery runs by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path, root: Path) -> None:
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(root / "src")}
    ran = subprocess.run(
        [sys.executable, example], capture_output=True, text=True, env=environment, cwd=root
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 6
