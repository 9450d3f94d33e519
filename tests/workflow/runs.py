"""What the tests of the pipeline share: the reduced config, what a run plans, and its results."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

REDUCED = Path(__file__).with_name("reduced.yaml")
Run = Callable[..., subprocess.CompletedProcess[str]]


def results_of(folder: Path) -> dict[str, bytes]:
    """Every result by its path; logs and benchmarks hold times, so they are left out.

    So are files that a killed job was writing beside their names.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file()
        and not path.name.startswith(".part-")
        and not {"logs", "benchmarks"} & set(path.parts)
    }


def planned(output: str) -> dict[str, int]:
    """Jobs of a dry run, by rule."""
    table = output.split("Job stats:")[-1].split("\n\n")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
