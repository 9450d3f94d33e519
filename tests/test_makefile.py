"""How `make` creates the environment, with a Python that only records its arguments."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

# Copied into an environment it passes for a working Python; it states its version as 3.<minor>.
STUB = """#!/bin/sh
echo "$0 $*" >> {log}
case "$1 $2" in
"-c import sys; sys.exit("*) exec {python} -c "import sys; sys.version_info = (3, {minor}); $2" ;;
"-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Path:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(root / name, tmp_path / name)
    return tmp_path


def make(checkout: Path, minor: int) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Create the environment with Python 3.<minor>; return the result and all recorded calls."""
    python, log = checkout / "stub", checkout / "log"
    python.write_text(STUB.format(log=log, python=shutil.which("python3"), minor=minor))
    python.chmod(0o755)
    log.write_text("")
    result = subprocess.run(
        ["make", ".venv/.run", f"PYTHON={python}"], cwd=checkout, capture_output=True, text=True
    )
    return result, log.read_text().replace(f"{checkout}/", "").splitlines()


@pytest.mark.parametrize("minor", [11, 14])
def test_an_interrupted_environment_is_created_anew(checkout: Path, minor: int) -> None:
    broken = checkout / ".venv" / "bin" / "python"
    broken.parent.mkdir(parents=True)
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    result, calls = make(checkout, minor)
    assert result.returncode == 0, result.stderr
    assert "stub -m venv --clear .venv" in calls
    assert any(line.startswith(".venv/bin/python -m pip install") for line in calls)
    # A working environment is kept.
    (checkout / ".venv" / ".run").unlink()
    _, calls = make(checkout, minor)
    assert calls[0] == ".venv/bin/python -m pip --version"
    assert not any(line.startswith("stub") for line in calls)


@pytest.mark.parametrize("minor", [10, 15])
def test_another_python_is_refused_in_one_sentence(checkout: Path, minor: int) -> None:
    result, calls = make(checkout, minor)
    assert result.returncode != 0
    assert result.stderr.count("is not Python 3.11 to 3.14: name one that is") == 1
    assert len(calls) == 1
    assert not (checkout / ".venv").exists()
