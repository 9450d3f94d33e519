"""The pipeline itself: Snakemake on a reduced digits task, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.workflow.runs import REDUCED, Run


@pytest.fixture(scope="session")
def snakemake(root: Path) -> Run:
    """Run Snakemake on this checkout with its results in another folder."""

    def run(
        folder: Path,
        *arguments: str,
        config: Path | None = REDUCED,
        checkout: Path = root,
        cores: int = 2,
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(checkout / "Snakefile")]
        command += ["--directory", str(folder), "--cores", str(cores), "--nocolor", *arguments]
        if config:
            command += ["--configfile", str(config)]
        environment = os.environ | {"PYTHONHASHSEED": "random"}
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)

    return run


@pytest.fixture(scope="session")
def finished(snakemake: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the reduced task; tests read it and do not change it."""
    folder = tmp_path_factory.mktemp("finished")
    result = snakemake(folder)
    assert result.returncode == 0, result.stderr
    (folder / "output.txt").write_text(result.stdout + result.stderr)
    return folder
