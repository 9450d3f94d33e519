"""The 20 largest eigenpairs of a small network's Hessian: gengap, curvlinops, and a naive product.

    python benchmarks/curvature.py

A dense network of about 5000 parameters, trained on 1000 of scikit-learn's digits; one thread. The
naive product builds the graph of the gradient again each time, as most published code does. SciPy's
``eigsh`` searches for curvlinops and for the naive product. Errors are relative to the eigenvalues
of the Hessian in float64, to a residual of 1e-10. Prints CPU seconds (with the making of the
operator), products and the largest relative error of an eigenvalue, and the same for four times the
width. Needs curvlinops.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import curvlinops
import numpy as np
import pandas as pd
import torch
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


def ours(network: nn.Module, data: Split, counted: Callable) -> np.ndarray:
    operator = hessian(network, "cross_entropy", data)
    operator._matvec = counted(operator._matvec)
    return operator.eigsh(COUNT).values


def by_curvlinops(network: nn.Module, data: Split, counted: Callable) -> np.ndarray:
    batches = [(torch.tensor(data.inputs), torch.tensor(data.labels))]
    parameters = list(network.parameters())
    operator = curvlinops.HessianLinearOperator(
        network, nn.CrossEntropyLoss(), parameters, batches, check_deterministic=False
    ).to_scipy()
    return searched(operator.shape, counted(operator.matvec))


def naive(network: nn.Module, data: Split, counted: Callable) -> np.ndarray:
    inputs, labels = torch.tensor(data.inputs), torch.tensor(data.labels)
    parameters = list(network.parameters())
    size = sum(parameter.numel() for parameter in parameters)

    def product(vector: np.ndarray) -> np.ndarray:
        loss = functional.cross_entropy(network(inputs), labels)
        slopes = torch.autograd.grad(loss, parameters, create_graph=True)
        flat = torch.cat([slope.reshape(-1) for slope in slopes])
        along = flat @ torch.tensor(vector.reshape(-1), dtype=torch.float32)
        curved = torch.autograd.grad(along, parameters)
        return torch.cat([slope.reshape(-1) for slope in curved]).numpy()

    return searched((size, size), counted(product))


def searched(shape: tuple[int, int], product: Callable) -> np.ndarray:
    operator = LinearOperator(shape, product, dtype=np.float32)
    start = np.random.default_rng(0).standard_normal(shape[0]).astype(np.float32)
    return eigsh(operator, COUNT, which="LA", tol=1e-5, v0=start)[0][::-1]


def measured(width: int) -> pd.DataFrame:
    data = load("digits", train_size=INPUTS).train
    network = build(dense(data.inputs.shape[1:], data.classes, width=width, depth=2))
    train(network, data, Recipe(epochs=10, optimiser="adam", learning_rate=0.003))
    exact = hessian(network, "cross_entropy", data, dtype="float64")
    truth = exact.eigsh(COUNT, tolerance=1e-10).values
    rows = {}
    for name, method in {"gengap": ours, "curvlinops": by_curvlinops, "naive": naive}.items():
        products = [0]

        def counted(product: Callable, products: list[int] = products) -> Callable:
            def once(vector: np.ndarray) -> np.ndarray:
                products[0] += 1
                return product(vector)

            return once

        start = time.process_time()
        values = method(network, data, counted)
        rows[name] = {
            "CPU s": time.process_time() - start,
            "products": products[0],
            "relative error": float(np.abs(values / truth - 1).max()),
        }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = f"{exact.size} parameters"
    return table


def main() -> None:
    torch.set_num_threads(1)
    for width in WIDTHS:
        table = measured(width)
        table["products"] = table["products"].astype(int)
        print(table.to_string(float_format=lambda value: f"{value:.2g}"), "\n")


if __name__ == "__main__":
    main()
