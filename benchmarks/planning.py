"""Measure what it takes to plan a zoo of many networks: a dry run of the whole workflow.

    python benchmarks/planning.py --networks 30000

The zoo is made up, and nothing of it is run. CPU seconds and peak memory are those of the process
of Snakemake.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
WIDTHS, POINTS_OF_A_WIDTH = 50, 3 * 4 * 5


def config_of(networks: int) -> dict[str, Any]:
    """Return the default config with a zoo of at least that many dense networks."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "config.yaml").read_text())
    (task,) = config["tasks"]
    task["zoo"]["network"] = {"template": "dense"}
    task["zoo"]["training"].pop("learning_rate", None)
    widths = min(WIDTHS, -(-networks // POINTS_OF_A_WIDTH))
    task["zoo"]["grid"] = {
        "width": list(range(8, 8 + widths)),
        "depth": [1, 2, 3],
        "learning_rate": [0.001, 0.002, 0.005, 0.01],
        "label_corruption": [0.0, 0.1, 0.2, 0.3, 0.4],
    }
    task["zoo"]["replicates"] = -(-networks // (widths * POINTS_OF_A_WIDTH))
    task["correlate_within"], task["rank_within"], task["colour"] = "depth", None, "depth"
    return config


def main() -> None:
    """Plan a zoo and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=30_000)
    networks = parser.parse_args().networks
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(yaml.safe_dump(config_of(networks), sort_keys=False))
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules"]
        command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", folder]
        result = subprocess.run(
            [*command, "--configfile", str(path)], capture_output=True, text=True, check=True
        )
    jobs = re.search(r"^total +(\d+)$", result.stdout + result.stderr, re.M)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{networks} networks, {jobs[1] if jobs else '?'} jobs: "
        f"{used.ru_utime + used.ru_stime:.1f} CPU s, {used.ru_maxrss / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
