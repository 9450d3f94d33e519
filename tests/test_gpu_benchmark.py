"""The benchmark of the GPU runs to its end, so that it needs no attention where there is one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from gengap.names import FAMILIES

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "gpu.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


@pytest.mark.slow
def test_on_the_cpu_all_values_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "gpu.md"
    result = run("--device", "cpu", "--tiny", "--result", str(path))
    assert result.returncode == 0, result.stderr
    parts = path.read_text().split("## ")
    rows = [line.split(" | ") for line in parts[-1].splitlines() if line.startswith("| ")][2:]
    assert {row[1] for row in rows} == set(FAMILIES)
    assert {row[-1].rstrip(" |") for row in rows} == {"0"}
    stages = {line.split(" | ")[0].strip("| ") for line in parts[2].splitlines()}
    assert {"training", "activations", "correlations", "measures: sharpness"} <= stages


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so() -> None:
    result = run()
    assert result.returncode == 1
    assert "torch sees 0 GPUs" in result.stderr
    assert "--device cpu" in result.stderr
