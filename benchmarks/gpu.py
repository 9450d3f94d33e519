"""Run the GPU's path: its tests, every family's numbers beside the CPU's, and what it saves.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --device cpu      (a dry run of this script on the CPU)

One command, under eight minutes on a machine with a GPU. Everything goes to one file,
results/benchmarks/gpu/gpu.md: the closing line of the tests; seconds of training, activations,
measures and correlations on one CPU core and on the GPU; and each value of each measure on both,
with their relative difference. Values are of two small networks trained on scikit-learn's digits;
times are of a wider one on made-up images. CPU times are those of one thread, and every time is
the second of two runs, since the first one also loads kernels.
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from gengap.activations import sample
from gengap.datasets import Split, load
from gengap.errors import GengapError
from gengap.files import writing
from gengap.measures import Subject, attempt, to_frame
from gengap.names import FAMILIES, STAGED_FAMILY
from gengap.networks import build, convolutional, dense, resolve_device, set_weights
from gengap.topology import correlation_dissimilarity, draw_diagrams
from gengap.training import Recipe, train

RESULT = Path("results/benchmarks/gpu/gpu.md")
ROOT = Path(__file__).resolve().parents[1]
TESTS = ("tests/networks/test_device.py", "tests/topology/test_dissimilarity.py")
TESTS_SECONDS = 150
"""The tests are stopped after so long."""
LEAST_SIZE = 1e-6
"""Values smaller than this are compared with it, not with themselves."""


@dataclass(frozen=True)
class Sizes:
    """How much is computed.

    Attributes:
        train_size: training images of digits.
        epochs: of the networks whose values are compared.
        neurons: in each draw of their activations.
        images: made-up ones of 32x32x3, for times.
        width: channels of the network on these.
        timed_epochs: of its training.
        correlated: neurons and inputs whose correlations are timed.
    """

    train_size: int = 200
    epochs: int = 20
    neurons: int = 100
    images: int = 2000
    width: int = 64
    timed_epochs: int = 1
    correlated: tuple[int, int] = (3000, 2000)


TINY = Sizes(50, 1, 12, 40, 4, 1, (30, 20))
"""For a test of this script."""


def tests_on_gpu() -> str:
    """Run the tests that need a GPU, with their neighbours, and return their closing line."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    command += ["-k", "gpu or Gpu or cuda"]
    try:
        result = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=TESTS_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"The tests did not end within {TESTS_SECONDS} seconds."
    lines = (result.stdout + result.stderr).strip().splitlines()
    failures = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    return "\n".join([*failures, *lines[-1:]])


@dataclass(frozen=True)
class Trained:
    """A network on the CPU with what its measures may need."""

    network: nn.Module
    initial: nn.Module
    history: pd.DataFrame


def trained(template: str, data: Split, epochs: int, seed: int) -> Trained:
    """Train a small network on the CPU."""
    make = {"convolutional": convolutional, "dense": dense}[template]
    spec = make(data.inputs.shape[1:], data.classes, width=16, depth=2)
    network, initial = build(spec), build(spec)
    result = train(network, data, Recipe(epochs=epochs, optimiser="adam", seed=seed))
    set_weights(initial, result.initial, source="the start")
    return Trained(network.eval(), initial.eval(), pd.DataFrame(result.history))


def values_on(
    device: torch.device, made: Trained, sibling: Trained, data: Split, neurons: int
) -> dict[str, pd.DataFrame]:
    """Compute every family's measures of one network on one device.

    Args:
        device: where.
        made: the network.
        sibling: one that differs from it in its seed alone.
        data: the training data.
        neurons: in each draw of the activations.

    Returns:
        By family, rows (measure, component, value).
    """
    network = copy.deepcopy(made.network).to(device)
    drawn = sample(network, data.inputs, neurons=neurons, draws=2, rng=np.random.default_rng(0))
    gpu = device if device.type == "cuda" else None
    frames = {}
    for family in FAMILIES:
        subject = Subject(
            copy.deepcopy(network),
            copy.deepcopy(made.initial).to(device),
            data,
            np.random.default_rng(0),
            history=made.history,
            siblings=(copy.deepcopy(sibling.network).to(device),),
            unlabelled=data.inputs,
            diagrams=draw_diagrams(drawn, gpu=gpu) if family == STAGED_FAMILY else None,
        )
        frames[family] = to_frame(attempt(family, subject, slow=False))
    return frames


def compared(device: torch.device, sizes: Sizes) -> pd.DataFrame:
    """Compare the measures of two networks on the CPU and on a device.

    Returns:
        network, family, measure, component, cpu, gpu, difference (relative), by falling difference.
    """
    data = load("digits", train_size=sizes.train_size, balanced=True).train
    tables = []
    for template in ("convolutional", "dense"):
        made, sibling = (trained(template, data, sizes.epochs, seed) for seed in (0, 1))
        on_cpu, on_device = (
            values_on(place, made, sibling, data, sizes.neurons)
            for place in (torch.device("cpu"), device)
        )
        for family, frame in on_cpu.items():
            keys = ["measure", "component"]
            both = frame[[*keys, "value"]].merge(
                on_device[family][[*keys, "value"]], on=keys, how="outer", suffixes=("_cpu", "_gpu")
            )
            tables.append(both.assign(network=template, family=family))
    table = pd.concat(tables, ignore_index=True)
    table = table.rename(columns={"value_cpu": "cpu", "value_gpu": "gpu"})
    size = np.maximum(np.maximum(table["cpu"].abs(), table["gpu"].abs()), LEAST_SIZE)
    difference: pd.Series = (table["cpu"] - table["gpu"]).abs() / size
    # Equal infinities are equal; what only one of the two has differs without bound.
    same = (table["cpu"] == table["gpu"]) | (table["cpu"].isna() & table["gpu"].isna())
    table["difference"] = difference.where(~same, 0.0).fillna(np.inf)
    columns = ["network", "family", "measure", "component", "cpu", "gpu", "difference"]
    return table[columns].sort_values("difference", ascending=False, kind="stable")


def seconds(device: torch.device, work: Callable[[], object]) -> float:
    """Return the wall-clock seconds of the second of two runs."""
    took = 0.0
    for _ in range(2):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took = time.perf_counter() - start
    return took


def stages(device: torch.device, sizes: Sizes) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what is timed, by name, on a device."""
    rng = np.random.default_rng(0)
    images = rng.random((sizes.images, 32, 32, 3)).astype(np.float32)
    data = Split(images, rng.integers(0, 10, sizes.images), 10)
    spec = convolutional(images.shape[1:], 10, width=sizes.width, depth=3)
    network = build(spec).to(device)
    recipe = Recipe(epochs=sizes.timed_epochs, batch_size=128)
    yield "training", lambda: train(network, data, recipe)
    network.eval()
    few = images[: max(2, sizes.images // 4)]
    yield (
        "activations",
        lambda: sample(network, few, neurons=sizes.neurons, draws=2, rng=np.random.default_rng(0)),
    )
    part = Split(few, data.labels[: len(few)], 10)
    initial = copy.deepcopy(network)
    for family in FAMILIES:
        if family not in (STAGED_FAMILY, "unlabelled", "history"):

            def measures(family: str = family) -> object:
                subject = Subject(network, initial, part, np.random.default_rng(0))
                return attempt(family, subject, slow=False)

            yield f"measures: {family}", measures
    correlated = rng.standard_normal(sizes.correlated).astype(np.float32)
    gpu = device if device.type == "cuda" else None
    yield "correlations", lambda: correlation_dissimilarity(correlated, gpu)


def timed(device: torch.device, sizes: Sizes) -> pd.DataFrame:
    """Time each stage on one CPU core and on a device.

    Returns:
        stage, cpu, gpu (seconds), ratio.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        costs = [
            {name: seconds(place, work) for name, work in stages(place, sizes)}
            for place in (torch.device("cpu"), device)
        ]
    finally:
        torch.set_num_threads(threads)
    table = pd.DataFrame({"cpu": costs[0], "gpu": costs[1]}).rename_axis("stage").reset_index()
    return table.assign(ratio=table["cpu"] / table["gpu"])


def markdown(table: pd.DataFrame) -> str:
    """Format a table in Markdown, with numbers of four digits."""
    lines = [list(table.columns), ["---"] * table.shape[1]]
    lines += [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row]
        for row in table.itertuples(index=False)
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def report(device: torch.device, sizes: Sizes, closing: str) -> str:
    """Compare and time everything, and write it down.

    Args:
        device: the GPU, or the CPU for a dry run.
        sizes: how much is computed.
        closing: what the tests said at last.

    Returns:
        The text of the result.
    """
    what = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU (a dry run)"
    values, times = compared(device, sizes), timed(device, sizes)
    families = values.groupby("family")["difference"].agg(["median", "max", "size"]).reset_index()
    parts = [
        f"# {what}, torch {torch.__version__}\n",
        f"## Tests\n\n{closing}\n",
        f"## Seconds on one CPU core and on the device\n\n{markdown(times)}",
        f"## Relative differences by family\n\n{markdown(families)}",
        f"## Values\n\n{markdown(values)}",
    ]
    return "\n".join(parts)


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", help="cuda, cuda:N, or cpu for a dry run")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, without the tests")
    parser.add_argument("--result", type=Path, default=RESULT)
    arguments = parser.parse_args()
    try:
        device = resolve_device(arguments.device)
    except GengapError as error:
        raise SystemExit(f"{error} For a dry run of this script: --device cpu.") from error
    closing = "not run" if arguments.tiny else tests_on_gpu()
    text = report(device, TINY if arguments.tiny else Sizes(), closing)
    with writing(arguments.result) as part:
        part.write_text(text, encoding="utf-8")
    print(text.partition("## Values")[0])


if __name__ == "__main__":
    main()
