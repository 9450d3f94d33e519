"""Compare training the networks of a zoo together with training them one at a time.

    python benchmarks/together.py
    python benchmarks/together.py --replicates 1 --template dense

The networks are those of the default run's grid: on 100 of scikit-learn's digits, of which each
replicate has its own, trained with Adam to a cross-entropy of 0.02. Networks of one template,
width, depth and batch size are trained twice in turn, one at a time and together, on one thread of
one process. The table has the CPU seconds of each network both ways, and how far results differ:
in epochs, in weights (largest relative distance) and in the predicted classes of the test data. It
is printed and written to results/benchmarks/together.csv.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from gengap.datasets import draw_rows, load_described
from gengap.errors import GengapError
from gengap.networks import build, predicted_classes
from gengap.planning.grid import grid_points, split_grid_point
from gengap.seeding import derive
from gengap.tasks.zoo import network_spec
from gengap.training import Recipe, TrainingResult, train
from gengap.training.together import Training, train_together

OUTPUT = Path("results/benchmarks/together.csv")
NETWORK_KEYS = ("template", "width", "depth")
GROUP = ("template", "width", "depth", "batch_size")
SMALL = 16
"""Width of the small networks of the grid."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replicates", type=int, default=3, help="networks at a point of the grid")
    parser.add_argument("--template", choices=["convolutional", "dense"], help="only this one")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    task = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))["tasks"][0]
    rows = []
    groups, test = planned(task["zoo"], arguments.replicates)
    for key, trainings in groups.items():
        if arguments.template in (None, key[0]):
            rows.append(dict(zip(GROUP, key, strict=True)) | compared(trainings, test))
            print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    table = pd.DataFrame(rows)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(OUTPUT, index=False)
    print(summary(table).to_string())


def planned(
    zoo: Mapping[str, Any], replicates: int
) -> tuple[dict[tuple[Any, ...], list[Training]], np.ndarray]:
    """Return the trainings of a zoo by template, width, depth and batch size; and test inputs."""
    dataset = dict(zoo["dataset"])
    train_size, _ = dataset.pop("train_size"), dataset.pop("resample")
    pool, test, _ = load_described(dataset, data_dir=None, seed=0)
    assert test is not None
    groups: dict[tuple[Any, ...], list[Training]] = {}
    recipe_keys = [name for name in zoo["grid"] if name not in NETWORK_KEYS]
    for point in grid_points(zoo["grid"], replicates):
        keywords, recipe = split_grid_point(
            point, zoo["network"], zoo["training"], NETWORK_KEYS, recipe_keys
        )
        replicate = point["replicate"]
        rows = draw_rows(pool, replicate=replicate, seed=0, train_size=train_size, balanced=True)
        data = pool.take(rows)
        network = build(network_spec(keywords, data.inputs.shape[1:], data.classes))
        seed = derive(0, *map(str, point.values()))
        training = Training(network, data, Recipe.from_mapping({**recipe, "seed": seed}))
        groups.setdefault(tuple(point[name] for name in GROUP), []).append(training)
    return groups, test.inputs


def compared(trainings: list[Training], test: np.ndarray) -> dict[str, Any]:
    """Train networks both ways, and return the seconds of each network and the differences."""
    copies = copy.deepcopy(trainings)
    start = time.process_time()
    alone = [train(one.network, one.data, one.recipe) for one in trainings]
    middle = time.process_time()
    together = dict(train_together(copies))
    end = time.process_time()
    pairs = []
    for place, own in enumerate(alone):
        result = together[place]
        if isinstance(result, GengapError):
            raise result
        pairs.append((own, result))
    count = len(trainings)
    classes = [
        (predicted_classes(one.network, test) != predicted_classes(other.network, test)).sum()
        for one, other in zip(trainings, copies, strict=True)
    ]
    return {
        "networks": count,
        "alone_s": round((middle - start) / count, 3),
        "together_s": round((end - middle) / count, 3),
        "ratio": round((middle - start) / (end - middle), 1),
        "epochs_differ": sum(own.epochs != other.epochs for own, other in pairs),
        "weights_differ": float(f"{max(_distance(*pair) for pair in pairs):.1e}"),
        "classes_differ": int(sum(classes)),
    }


def _distance(one: TrainingResult, other: TrainingResult) -> float:
    first, second = (
        torch.cat([values.double().flatten() for values in result.weights.values()])
        for result in (one, other)
    )
    return float((first - second).norm() / first.norm())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return the means of small and wide networks of each template, and of all."""
    size = np.where(table["width"] <= SMALL, "small", "wide")
    weighted = table.assign(
        size=size,
        alone_s=table["alone_s"] * table["networks"],
        together_s=table["together_s"] * table["networks"],
    )
    columns = ["networks", "alone_s", "together_s", "epochs_differ", "classes_differ"]
    sums = weighted.groupby(["template", "size"])[columns].sum()
    sums.loc[("all", ""), :] = weighted[columns].sum()
    sums[["alone_s", "together_s"]] = sums[["alone_s", "together_s"]].div(sums["networks"], axis=0)
    return sums.assign(ratio=sums["alone_s"] / sums["together_s"]).round(3)


if __name__ == "__main__":
    main()
