"""Curvature of a saved network: ``python -m gengap.curvature CONFIG.json WEIGHTS.safetensors``.

Computes the largest eigenvalues of the Hessian of the training loss of any saved network, prints
its effective dimensionality at several alpha, and writes everything to an npz file.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from gengap.curvature.operators import DTYPES
from gengap.curvature.report import MATRICES, report
from gengap.datasets import Split, load, read_split
from gengap.errors import GengapError
from gengap.limits import DENSE_LIMIT, LARGEST_EIGENVALUES
from gengap.names import LOSSES
from gengap.networks import resolve_device
from gengap.tasks.folder import read_network, with_labels


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    command = argparse.ArgumentParser(
        prog="python -m gengap.curvature",
        description="Eigenvalues of the loss's Hessian, and N_eff, of a saved network.",
    )
    add = command.add_argument
    add("config", type=Path, help="the network's spec, JSON (config.json of a task's network)")
    add("weights", type=Path, help="its weights, safetensors")
    add(
        "--dataset",
        required=True,
        help="name of a dataset of gengap, or a split's file (dataset/train.safetensors of a task)",
    )
    add("--labels", type=Path, help="labels trained on, .npy (labels.npy of a task's network)")
    add("--split", choices=("train", "test"), default="train", help="split of a named dataset")
    add("--data-dir", type=Path, help="folder of official dataset files; default: download")
    add("--train-size", type=int, help="inputs of the train split (all)")
    add("--test-size", type=int, help="inputs of the test split (all)")
    add("--data-seed", type=int, default=0, help="seed that selects the inputs (0)")
    add("--loss", choices=LOSSES, default="cross_entropy", help="loss (cross_entropy)")
    add("--matrix", choices=tuple(MATRICES), default="hessian", help="matrix (hessian)")
    add(
        "--reduction",
        choices=("mean", "sum"),
        default="mean",
        help="the loss is a mean or a sum over inputs; alpha is a weight decay w of the mean loss, "
        "or n w of the sum (mean)",
    )
    add("--dtype", choices=tuple(DTYPES), default="float32", help="type of products (float32)")
    top = LARGEST_EIGENVALUES
    count = command.add_mutually_exclusive_group()
    count.add_argument("--top", type=int, default=top, help=f"number of largest ones ({top})")
    count.add_argument(
        "--all", action="store_true", help=f"all eigenvalues, for up to {DENSE_LIMIT} parameters"
    )
    add("--bottom", type=int, help="number of smallest eigenvalues (5, or as many as are left)")
    add("--alpha", type=float, nargs="+", default=[0.01, 0.1, 1.0, 10.0], help="alphas of N_eff")
    add("--seed", type=int, default=0, help="seed of the random vectors (0)")
    add("--device", default="cpu", help="cpu, cuda, cuda:N or auto (cpu)")
    add("--output", type=Path, default=Path("eigenvalues.npz"), help="file (eigenvalues.npz)")
    return command


def main(arguments: list[str] | None = None) -> None:
    """Read, compute, print and write; bad input gives one sentence and exit status 1."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        network = read_network(options.config, options.weights).to(resolve_device(options.device))
        curvature = report(
            network,
            options.loss,
            _data(options),
            matrix=options.matrix,
            reduction=options.reduction,
            dtype=options.dtype,
            top=None if options.all else options.top,
            bottom=options.bottom,
            alphas=options.alpha,
            seed=options.seed,
        )
        curvature.write(options.output)
    except GengapError as error:
        sys.exit(f"error: {error}")
    print(curvature.text())


def _data(options: argparse.Namespace) -> Split:
    if options.dataset.endswith(".safetensors"):
        split = read_split(options.dataset)
    else:
        data = load(
            options.dataset,
            data_dir=options.data_dir,
            seed=options.data_seed,
            train_size=options.train_size,
            test_size=options.test_size,
        )
        split = data.train if options.split == "train" else data.test
    return split if options.labels is None else with_labels(split, options.labels)


if __name__ == "__main__":
    main()
