"""Find the 20 largest eigenpairs of a small network's Hessian in three ways.

    python benchmarks/curvature.py

The network is dense, has about 5000 parameters and is trained on 1000 of scikit-learn's digits, on
one thread. gengap is compared with curvlinops and with a naive product, which rebuilds the graph of
the gradient each time, as most published code does. For these two, SciPy's ``eigsh`` searches the
eigenpairs. Errors are relative to the eigenvalues of the Hessian in float64, to a residual of
1e-10. The script prints CPU seconds (including the construction of the operator), the number of
products and the largest relative error of an eigenvalue. It repeats this with four times the
width. It needs curvlinops.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from unittest import mock

import curvlinops
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn
from torch.nn import functional

from gengap.curvature import hessian
from gengap.datasets import Split, load
from gengap.networks import build, dense
from gengap.training import Recipe, train

COUNT = 20
WIDTHS = (40, 160)
INPUTS = 1000

Vector = NDArray[np.floating]
Product = Callable[[Vector], Vector]
Search = Callable[[nn.Module, Split, "Counter"], Vector]
"""Returns the largest eigenvalues, in descending order."""


class Counter:
    """Counts the products of a matrix with vectors."""

    def __init__(self) -> None:
        self.products = 0

    def counted(self, product: Product) -> Product:
        """Wrap a product so that its calls are counted."""

        def count(vector: Vector) -> Vector:
            self.products += 1
            return product(vector)

        return count


def search_with_gengap(network: nn.Module, data: Split, counter: Counter) -> Vector:
    """Search with the library's own operator and algorithm."""
    operator = hessian(network, "cross_entropy", data)
    with mock.patch.object(operator, "_matvec", counter.counted(operator._matvec)):
        return operator.eigsh(COUNT).values


def search_with_curvlinops(network: nn.Module, data: Split, counter: Counter) -> Vector:
    """Search with curvlinops' operator and SciPy's algorithm."""
    batches = [(torch.tensor(data.inputs), torch.tensor(data.labels))]
    parameters = list(network.parameters())
    operator = curvlinops.HessianLinearOperator(
        network, nn.CrossEntropyLoss(), parameters, batches, check_deterministic=False
    ).to_scipy()
    return search_with_scipy(operator.shape, counter.counted(operator.matvec))


def search_naively(network: nn.Module, data: Split, counter: Counter) -> Vector:
    """Search with a product that rebuilds the gradient's graph, and SciPy's algorithm."""
    inputs, labels = torch.tensor(data.inputs), torch.tensor(data.labels)
    parameters = list(network.parameters())
    size = sum(parameter.numel() for parameter in parameters)

    def product(vector: Vector) -> Vector:
        loss = functional.cross_entropy(network(inputs), labels)
        gradients = torch.autograd.grad(loss, parameters, create_graph=True)
        gradient = torch.cat([part.reshape(-1) for part in gradients])
        slope = gradient @ torch.tensor(vector.reshape(-1), dtype=torch.float32)
        curvatures = torch.autograd.grad(slope, parameters)
        result: NDArray[np.float32] = torch.cat([part.reshape(-1) for part in curvatures]).numpy()
        return result

    return search_with_scipy((size, size), counter.counted(product))


def search_with_scipy(shape: tuple[int, int], product: Product) -> Vector:
    """Search the largest eigenvalues of a matrix that is given by its products."""
    operator = LinearOperator(shape, product, dtype=np.float32)
    start = np.random.default_rng(0).standard_normal(shape[0]).astype(np.float32)
    eigenvalues: Vector = eigsh(operator, COUNT, which="LA", tol=1e-5, v0=start)[0]
    return eigenvalues[::-1]


SEARCHES: dict[str, Search] = {
    "gengap": search_with_gengap,
    "curvlinops": search_with_curvlinops,
    "naive": search_naively,
}


def measure(width: int) -> pd.DataFrame:
    """Train a network of a width, and measure each search on it."""
    data = load("digits", train_size=INPUTS).train
    network = build(dense(data.inputs.shape[1:], data.classes, width=width, depth=2))
    train(network, data, Recipe(epochs=10, optimiser="adam", learning_rate=0.003))
    exact = hessian(network, "cross_entropy", data, dtype="float64")
    truth = exact.eigsh(COUNT, tolerance=1e-10).values
    rows = {}
    for name, search in SEARCHES.items():
        counter = Counter()
        start = time.process_time()
        values = search(network, data, counter)
        rows[name] = {
            "CPU s": time.process_time() - start,
            "products": counter.products,
            "relative error": float(np.abs(values / truth - 1).max()),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = f"{exact.size} parameters"
    return table


def main() -> None:
    """Print a table for each width."""
    torch.set_num_threads(1)
    for width in WIDTHS:
        table = measure(width)
        table["products"] = table["products"].astype(int)
        print(table.to_string(float_format=lambda value: f"{value:.2g}"), "\n")


if __name__ == "__main__":
    main()
