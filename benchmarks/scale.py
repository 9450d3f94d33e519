"""Measure what a zoo of 30,000 networks takes, from plan to leaderboard.

    python benchmarks/scale.py                      all parts, about an hour on one core
    python benchmarks/scale.py --parts plan evaluation

Each point of each part runs in a process of its own, and its result is kept under
results/benchmarks/scale, so that a run that was stopped goes on where it was. The table is written
from what is there, to results/benchmarks/scale/scale.md.

- ``plan``: a dry run of the workflow for 1000 to 30,000 networks (``benchmarks/planning.py``).
- ``zoo``: the workflow itself on 250 and on 1000 tiny dense networks, trained on scikit-learn's
  digits: CPU seconds and memory of each stage, files and bytes on disk.
- ``evaluation``: made-up measures of 1200 to 30,000 networks: 160 scalars, 30 vectors of 4
  components and 10 sampled functions of 20 values that are reduced to principal components. A third
  of the scalars are heavy-tailed, a tenth have ties. Reading the table is not counted.
- ``clusters``: the dashboard's two groups of networks by each of the scalars and the gap.
- ``dashboard``: the page of these networks, with reading the tables. It needs the two parts before.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from gengap.files import writing

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("results/benchmarks/scale")
SIZES = {
    "plan": (1000, 3000, 10_000, 30_000),
    "zoo": (250, 1000),
    "evaluation": (1200, 3600, 9600, 30_000),
    "clusters": (1200, 3600, 9600, 30_000),
    "dashboard": (1200, 3600, 9600, 30_000),
}
WHOLE = 30_000
REPLICATES = 3
SCALARS, VECTORS, COMPONENTS, FUNCTIONS, VALUES = 160, 30, 4, 10, 20
MB = 1024

Numbers = dict[str, float]
"""What a point of a part took, by name."""


def own_cost(work: Callable[[], object]) -> Numbers:
    """Run a function in this process; return its CPU seconds and the peak memory so far."""
    start = time.process_time()
    work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB
    return {"CPU s": time.process_time() - start, "peak MB": peak}


# ---- plan --------------------------------------------------------------------------------------


def plan(networks: int) -> Numbers:
    """Make a dry run, and return jobs, CPU seconds and peak memory."""
    command = [sys.executable, str(ROOT / "benchmarks/planning.py"), "--networks", str(networks)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) jobs: ([\d.]+) CPU s, (\d+) MB", said)
    if not found:
        raise SystemExit(f"benchmarks/planning.py says: {said}")
    return {"jobs": int(found[1]), "CPU s": float(found[2]), "peak MB": float(found[3])}


# ---- a real zoo --------------------------------------------------------------------------------


def zoo_config(networks: int) -> dict[str, Any]:
    """Return the config of a zoo of tiny dense networks, in four shards."""
    widths = list(range(8, 8 + networks // 50))
    return {
        "seed": 0,
        "tasks": [
            {
                "name": "tiny",
                "zoo": {
                    "dataset": {"name": "digits", "train_size": 100, "test_size": 500},
                    "network": {"template": "dense", "depth": 1},
                    "training": {"optimiser": "adam", "epochs": 40, "batch_size": 50},
                    "grid": {
                        "width": widths,
                        "learning_rate": [0.005, 0.01, 0.02, 0.03, 0.05],
                        "weight_decay": [0.0, 0.0001, 0.0003, 0.001, 0.003],
                    },
                    "replicates": 2,
                },
                "networks_per_job": networks // 4,
                "correlate_within": "weight_decay",
                "rank_within": "learning_rate",
                "colour": "weight_decay",
            }
        ],
        "families": ["norms", "margins"],
        "evaluation": {"unfit": "keep"},
    }


def zoo(networks: int) -> Numbers:
    """Run the workflow from the plan to the dashboard.

    Args:
        networks: how many.

    Returns:
        CPU seconds and peak memory of each stage, files and megabytes for each network and in all.
    """
    folder = FOLDER / f"zoo-{networks}"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(zoo_config(networks), sort_keys=False))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--quiet", "all"]
    command += ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    command += ["--rerun-incomplete", "--configfile", str(config)]
    command += ["--", "results/tiny/dashboard.html"]
    subprocess.run(command, check=True)
    task = folder / "results" / "tiny"
    numbers: Numbers = {}
    for stage in ("train", "measure", "measures", "evaluate", "dashboard"):
        paths = [*task.glob(f"benchmarks/{stage}.tsv"), *task.glob(f"benchmarks/{stage}/*.tsv")]
        rows = pd.concat([pd.read_csv(path, sep="\t", na_values=["-", "NA"]) for path in paths])
        numbers[f"{stage}: CPU s"] = float(rows["cpu_time"].sum())
        numbers[f"{stage}: peak MB"] = float(rows["max_rss"].max())
    for what, root in (("networks", task / "networks"), ("all", folder)):
        files = [
            path for path in root.rglob("*") if path.is_file() and ".snakemake" not in path.parts
        ]
        numbers[f"files, {what}"] = len(files)
        numbers[f"disk MB, {what}"] = sum(path.stat().st_size for path in files) / MB**2
    for name in ("measures.csv", "dashboard.html", "task.json"):
        numbers[f"{name} MB"] = (task / name).stat().st_size / MB**2
    shutil.rmtree(folder)
    return numbers


# ---- evaluation --------------------------------------------------------------------------------


def made_up(networks: int, rng: np.random.Generator) -> dict[str, Any]:
    """Make up the tables of a task.

    Args:
        networks: how many, a multiple of 1200.
        rng: draws everything.

    Returns:
        The arguments of ``evaluate``.
    """
    levels = (5, 4, 5, 4, networks // (5 * 4 * 5 * 4 * REPLICATES))
    points = np.array(list(itertools.product(*map(range, levels))), dtype=float)
    grid = np.repeat(points, REPLICATES, axis=0)
    scaled = (grid - grid.mean(axis=0)) / np.maximum(grid.std(axis=0), 1e-9)
    latent = rng.normal(size=(networks, 6))
    gaps = 0.1 + 0.01 * (scaled @ rng.normal(size=len(levels)) + latent[:, 0])
    gaps = np.round(gaps + 0.005 * np.sin(latent[:, 1]) + 0.01 * rng.normal(size=networks), 3)

    def column(kind: int) -> np.ndarray:
        values = scaled @ rng.normal(size=len(levels)) + latent @ rng.normal(size=6)
        values = values / 2 + rng.normal(size=networks)
        if kind in (0, 3, 6):
            return np.asarray(np.exp(2 * values))
        return np.asarray(np.round(values, 0 if kind == 9 else 16))

    blocks = {f"scalar_{i}": column(i % 10)[:, None] for i in range(SCALARS)}
    for i in range(VECTORS):
        blocks[f"vector_{i}"] = np.column_stack([column(1) for _ in range(COMPONENTS)])
    for i in range(FUNCTIONS):
        noise = rng.normal(size=(networks, VALUES))
        blocks[f"persistence_image_{i}"] = latent @ rng.normal(size=(6, VALUES)) + noise
    sizes = [block.shape[1] for block in blocks.values()]
    ids = [str(network) for network in range(networks)]
    families = [f"family_{i % 8}" for i in range(len(blocks))]
    names = sorted(set(families))

    def text(codes: Any, categories: list[str]) -> Any:
        return pd.Categorical.from_codes(codes, pd.Index(categories))

    def repeated(codes: np.ndarray, categories: list[str]) -> Any:
        return text(np.tile(codes, networks), categories)

    measures = pd.DataFrame(
        {
            "task": repeated(np.zeros(sum(sizes), dtype=np.int8), ["made-up"]),
            "network": text(np.repeat(np.arange(networks), sum(sizes)), ids),
            "family": repeated(np.repeat([names.index(name) for name in families], sizes), names),
            "measure": repeated(np.repeat(np.arange(len(blocks)), sizes), list(blocks)),
            "component": repeated(
                np.concatenate([np.arange(size) for size in sizes]), [str(i) for i in range(VALUES)]
            ),
            "value": np.hstack(list(blocks.values())).ravel(),
        }
    )
    index = pd.Index(ids, name="network")
    return {
        "measures": measures,
        "gaps": pd.Series(gaps, index),
        "grid": pd.DataFrame(grid, index, ["a", "b", "c", "d", "e"]),
        "training_accuracy": pd.Series(1 - 0.01 * rng.random(networks), index),
        "gap_errors": pd.Series(0.003, index),
        "correlate_within": "b",
        "rank_within": "a",
    }


def task_folder(networks: int) -> Path:
    """Return the folder of the task whose measures are made up."""
    return FOLDER / f"made-up-{networks}"


def evaluation(networks: int) -> Numbers:
    """Evaluate made-up measures, and write the tables."""
    from gengap.evaluation import evaluate

    arguments = made_up(networks, np.random.default_rng(0))
    tables = task_folder(networks) / "evaluation"
    return own_cost(lambda: evaluate(**arguments).write(tables))


# ---- dashboard ---------------------------------------------------------------------------------


def clusters(networks: int) -> Numbers:
    """Group networks by each scalar and the gap, and write the table."""
    from gengap.evaluation import cluster

    arguments = made_up(networks, np.random.default_rng(0))
    measures = arguments["measures"]
    scalars = measures[measures["measure"].str.startswith("scalar")]
    path = task_folder(networks) / "evaluation" / "clusters.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    return own_cost(lambda: cluster(scalars, arguments["gaps"]).to_csv(path, index=False))


def dashboard(networks: int) -> Numbers:
    """Make the page of the task whose measures are made up, and remove the task.

    Args:
        networks: how many; their evaluation and their clusters must be there.

    Returns:
        CPU seconds, peak memory, and megabytes of the table of measures and of the page.

    Raises:
        SystemExit: the part ``evaluation`` or ``clusters`` was not run.
    """
    from gengap.dashboard import write_static_page

    folder = task_folder(networks)
    for part, name in (("evaluation", "leaderboard"), ("clusters", "clusters")):
        if not (folder / "evaluation" / f"{name}.csv").exists():
            raise SystemExit(f"Run the part {part!r} of {networks} networks first.")
    # In a process of its own, so that the peak is that of the page.
    command = [sys.executable, __file__, "--made-up", str(networks)]
    subprocess.run(command, check=True)
    page = folder / "dashboard.html"
    numbers = own_cost(lambda: write_static_page(folder, page))
    for name in ("measures.csv", "dashboard.html"):
        numbers[f"{name} MB"] = (folder / name).stat().st_size / MB**2
    shutil.rmtree(folder)
    return numbers


def write_task(networks: int) -> None:
    """Write what a task has beside its evaluation: measures, outcomes, and empty lists."""
    from pyarrow import Table, csv

    from gengap import tasks
    from gengap.tasks.folder import Metrics

    arguments, folder = made_up(networks, np.random.default_rng(0)), task_folder(networks)
    measures, grid = arguments["measures"], arguments["grid"]
    # pandas takes ten times as long for ten million rows.
    csv.write_csv(Table.from_pandas(measures, preserve_index=False), folder / "measures.csv")
    (folder / "failed.csv").write_text("network,stage,reason\n")
    (folder / "left_out_measures.csv").write_text("network,family,measure,reason\n")
    accuracies = arguments["training_accuracy"]
    rows = grid.to_dict("index")
    metrics = {
        str(name): Metrics(
            {str(key): value for key, value in rows[name].items()}, train, train - gap
        )
        for name, train, gap in zip(grid.index, accuracies, arguments["gaps"], strict=True)
    }
    levels = {str(name): sorted(set(grid[name])) for name in grid.columns}
    tasks.write_task(folder / "task.json", "made-up", levels, metrics)


PARTS: Mapping[str, Callable[[int], Numbers]] = {
    "plan": plan, "zoo": zoo, "evaluation": evaluation, "clusters": clusters, "dashboard": dashboard
}  # fmt: skip


# ---- the table ---------------------------------------------------------------------------------


def point(part: str, networks: int) -> None:
    """Measure a point in a process of its own, unless it was measured before."""
    path = FOLDER / f"{part}-{networks}.json"
    if path.exists():
        return
    command = [sys.executable, __file__, "--point", part, str(networks)]
    subprocess.run(command, check=True)
    print(path.read_text(), flush=True)


def extrapolated(sizes: list[int], values: list[float]) -> float:
    """Extend the line through the last two points to :data:`WHOLE` networks."""
    (low, high), (first, last) = sizes[-2:], values[-2:]
    return last + (last - first) / (high - low) * (WHOLE - high)


def markdown() -> str:
    """Write a table for each part from the points that were measured."""
    parts = []
    for part, sizes in SIZES.items():
        known = {
            size: json.loads(path.read_text())
            for size in sizes
            if (path := FOLDER / f"{part}-{size}.json").exists()
        }
        if not known:
            continue
        columns = list(known)
        extend = len(columns) > 1 and columns[-1] < WHOLE
        head = ["networks", *map(str, columns), *([f"{WHOLE} (extrapolated)"] if extend else [])]
        lines = [head, ["---"] * len(head)]
        for name in known[columns[-1]]:
            values = [numbers[name] for numbers in known.values()]
            cells = [*values, *([extrapolated(columns, values)] if extend else [])]
            lines.append(
                [name, *(f"{value:,.4g}" if value < 1e4 else f"{value:,.0f}" for value in cells)]
            )
        table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        parts.append(f"## {part}\n\n{table}\n")
    return "\n".join(parts)


def main() -> None:
    """Measure what was not measured yet, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--largest", type=int, default=WHOLE, help="leave out larger zoos")
    parser.add_argument("--point", nargs=2, metavar=("PART", "NETWORKS"), help=argparse.SUPPRESS)
    parser.add_argument("--made-up", type=int, metavar="NETWORKS", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.made_up:
        write_task(arguments.made_up)
        return
    if arguments.point:
        part, networks = arguments.point[0], int(arguments.point[1])
        numbers = PARTS[part](networks)
        with writing(FOLDER / f"{part}-{networks}.json") as path:
            path.write_text(json.dumps(numbers))
        return
    for part in arguments.parts:
        for networks in SIZES[part]:
            if networks <= arguments.largest:
                point(part, networks)
    with writing(FOLDER / "scale.md") as path:
        path.write_text(markdown(), encoding="utf-8")
    print(markdown())


if __name__ == "__main__":
    main()
