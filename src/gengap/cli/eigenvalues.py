"""``gengap eigenvalues SPEC WEIGHTS``: curvature of a saved network.

Computes the largest eigenvalues of the Hessian of the training loss of any saved network, prints
its effective dimensionality at several alpha, and writes everything to an npz file.
"""

from __future__ import annotations

import logging
from argparse import ArgumentError, ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from gengap.cli import subject
from gengap.cli.command import Command
from gengap.cli.progress import working
from gengap.limits import LARGEST_EIGENVALUES
from gengap.names import LOSSES

if TYPE_CHECKING:
    from gengap.datasets import Split

# The two are registries of packages that load torch, which help does not wait for.
MATRICES = ("hessian", "ggn")
DTYPES = ("float32", "float64")

EXAMPLES = """\
gengap eigenvalues config.json weights.safetensors --dataset cifar10 --train-size 1000
gengap eigenvalues config.json weights.pt --dataset cifar10 --data-keys '{"classes": [0, 1, 8]}'
gengap eigenvalues results/digits/networks/0 --top 20 --bottom 5"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap eigenvalues``."""
    subject.add_network(parser)
    add = parser.add_argument
    add(
        "--dataset",
        help="name of a dataset of gengap, or a file of data (dataset/train.safetensors of a "
        "task); a network's folder of a task has its own",
    )
    add(
        "--data-keys",
        type=subject.json_object,
        metavar="JSON",
        help="further keys of the data, as in a config's dataset: what a file holds, or the "
        "classes and transforms of a dataset by name, such as '{\"classes\": [0, 1]}'",
    )
    add("--labels", type=Path, help="labels trained on, .npy (labels.npy of a task's network)")
    add("--split", choices=("train", "test"), default="train", help="split of a named dataset")
    add("--data-dir", type=Path, help="folder of official dataset files; default: download")
    add("--train-size", type=int, help="inputs of the train split (all)")
    add("--test-size", type=int, help="inputs of the test split (all)")
    add("--data-seed", type=int, default=0, help="seed that selects the inputs (0)")
    add(
        "--loss",
        choices=LOSSES,
        help="loss (cross_entropy; mse where the targets are numbers)",
    )
    add("--matrix", choices=MATRICES, default="hessian", help="matrix (hessian)")
    add(
        "--reduction",
        choices=("mean", "sum"),
        default="mean",
        help="the loss is a mean or a sum over inputs; alpha is a weight decay w of the mean loss, "
        "or n w of the sum (mean)",
    )
    add("--dtype", choices=DTYPES, default="float32", help="type of products (float32)")
    top = LARGEST_EIGENVALUES
    count = parser.add_mutually_exclusive_group()
    count.add_argument("--top", type=int, default=top, help=f"number of largest ones ({top})")
    count.add_argument("--all", action="store_true", help="all eigenvalues, see --dense-limit")
    subject.add_dense_limit(parser)
    add("--vectors", action="store_true", help="write the eigenvectors too")
    add("--bottom", type=int, help="number of smallest eigenvalues (5, or as many as are left)")
    add("--alpha", type=float, nargs="+", default=[0.01, 0.1, 1.0, 10.0], help="alphas of N_eff")
    add("--seed", type=int, default=0, help="seed of the random vectors (0)")
    add("--output", type=Path, default=Path("eigenvalues.npz"), help="file (eigenvalues.npz)")


def run(options: Namespace) -> None:
    """Read, compute, write and print."""
    from gengap.curvature.report import report
    from gengap.networks import resolve_device
    from gengap.tasks.outcomes import default_loss

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    device = resolve_device(options.device)
    trained = subject.trained_network(options)
    if trained is None and options.dataset is None:
        raise ArgumentError(None, "the loss needs data: give --dataset")
    if trained is not None and options.dataset is None:
        data = subject.data_of_task(trained)
    else:
        data = _data(options)
    if trained is None:
        network = subject.network_of_spec(options, options.weights, data)
    else:
        network = trained.network()
    with working("eigenvalues"):
        curvature = report(
            network.to(device),
            options.loss or default_loss(data),
            data,
            matrix=options.matrix,
            reduction=options.reduction,
            dtype=options.dtype,
            top=None if options.all else options.top,
            bottom=options.bottom,
            alphas=options.alpha,
            seed=options.seed,
            dense_limit=options.dense_limit,
            keep_vectors=options.vectors,
        )
    curvature.write(options.output)
    print(curvature.text())


def _data(options: Namespace) -> Split:
    """Read the data that are named, with the labels that are named."""
    from gengap.datasets import load
    from gengap.names import OWN_SUFFIXES
    from gengap.planning.datasets import check_dataset
    from gengap.tasks.folder import trained_on

    path = Path(options.dataset)
    if path.suffix in OWN_SUFFIXES or path.is_dir():
        return subject.read_training_data(path, options.data_keys, options.labels)
    sizes = {"train_size": options.train_size, "test_size": options.test_size}
    keys = {"name": options.dataset, **sizes, **(options.data_keys or {})}
    check_dataset(keys, "The command")
    data = load(**keys, data_dir=options.data_dir, seed=options.data_seed)
    split = data.train if options.split == "train" else data.test
    return split if options.labels is None else trained_on(split, options.labels)


COMMAND = Command(
    "eigenvalues",
    "compute eigenvalues of the loss's Hessian, and N_eff, of a saved network",
    EXAMPLES,
    add_arguments,
    run,
)
