"""What measures are compared with: predictions of the gap that need no measure, and its noise."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from gengap.evaluation.designs import (
    HYPER_PARAMETERS,
    MEAN,
    REFERENCE,
    Design,
    Designs,
    hyper_parameter_design,
    natural_key,
)
from gengap.evaluation.folds import FOLDS, NESTED_REPEATS, repeats_of
from gengap.evaluation.regression import without_levels

HYPER_PARAMETERS_PAIRWISE = f"{HYPER_PARAMETERS}_pairwise"
RANDOM = f"{REFERENCE}.random"
REPLICATE_NOISE = f"{REFERENCE}.gap_with_replicate_noise"
REPLICATE_CEILING = f"{REFERENCE}.replicate_ceiling"
MOST_OF_PRODUCTS = 2.0
"""Gigabytes that the products of hyper-parameters may take (:func:`excess_of_products`)."""


def constant_design(networks: int) -> Design:
    """Return the reference without columns, which predicts the mean gap."""
    return Design(MEAN, REFERENCE, (), np.zeros((networks, 0)))


def random_design(networks: int, rng: np.random.Generator) -> Design:
    """Return a measure that knows nothing: independent normal numbers."""
    return Design(RANDOM, REFERENCE, ("random",), rng.normal(size=(networks, 1)))


def pairwise_design(grid: pd.DataFrame) -> Design | None:
    """Make the products of hyper-parameters, by which they may act together.

    They are those of the additive model's columns (:func:`hyper_parameter_design`), for each pair
    of hyper-parameters.

    Args:
        grid: hyper-parameters, one row for each network.

    Returns:
        (networks, products), or None where fewer than two hyper-parameters vary.
    """
    names = sorted(grid.columns, key=lambda column: natural_key(str(column)))
    singles = [hyper_parameter_design(grid[[name]]) for name in names]
    components: list[str] = []
    columns: list[np.ndarray] = []
    for first, second in itertools.combinations(singles, 2):
        products = first.values[:, :, None] * second.values[:, None, :]
        columns.append(products.reshape(len(grid), -1))
        components += [f"{a}, {b}" for a in first.components for b in second.components]
    if not components:
        return None
    return Design(HYPER_PARAMETERS_PAIRWISE, REFERENCE, tuple(components), np.hstack(columns))


def excess_of_products(designs: Designs) -> str:
    """Say why products of hyper-parameters are left out, where they would take too much memory.

    The products of all networks are held for each cell of the nested repeats, and several copies
    of them for one cell. Where they leave few degrees of freedom, matrices of all pairs of networks
    come after them (:func:`gengap.evaluation.questions.shrinkage`), which take less.

    Args:
        designs: the grid and the draws of the training data.

    Returns:
        A sentence; empty where the products take at most ``MOST_OF_PRODUCTS``.
    """
    networks = len(designs.gaps)
    widths = [len(hyper_parameter_design(designs.grid[[name]]).components) for name in designs.grid]
    products = (sum(widths) ** 2 - sum(width**2 for width in widths)) // 2
    cells = FOLDS * (1 if designs.draws is None else len(set(designs.draws)))
    held = cells * repeats_of(networks, NESTED_REPEATS) + 5
    numbers = networks * (held * min(networks, products) + 3 * products)
    gigabytes = np.dtype(np.float64).itemsize * numbers / 1e9
    if gigabytes <= MOST_OF_PRODUCTS:
        return ""
    return (
        f"{products} products of hyper-parameters of {networks} networks would take "
        f"{gigabytes:.2g} GB, and at most {MOST_OF_PRODUCTS:g} GB are used: give hyper-parameters "
        "of many values as numbers"
    )


def has_replicates(points: np.ndarray) -> bool:
    """Tell whether at least half of the networks share their grid point with another."""
    return bool(np.mean(np.bincount(points)[points] > 1) >= 0.5)


def replicate_noise_design(designs: Designs, rng: np.random.Generator) -> Design:
    """Return the gap plus normal noise of the variance between replicates of one grid point.

    It scores what a measure would that knows the gap as well as one replicate of a network knows
    another. Where networks saw several draws of the training data, differences between the draws'
    mean gaps are no noise, since the scores take these as known.

    Args:
        designs: the networks, some of which are replicates.
        rng: draws the noise.

    Returns:
        A reference of one component.
    """
    points, gaps, draws = designs.points, designs.gaps, 1
    if designs.draws is not None:
        gaps, draws = without_levels(gaps, designs.draws), len(set(designs.draws))
    residual = gaps - point_means(points, gaps)
    freedom = max(len(points) - len(np.unique(points)) - (draws - 1), 1)
    spread = np.sqrt(np.sum(residual**2) / freedom)
    values = designs.gaps + spread * rng.normal(size=len(points))
    return Design(REPLICATE_NOISE, REFERENCE, ("gap",), values[:, None])


def replicate_ceiling(designs: Designs) -> np.ndarray:
    """Predict the gap of each network by the mean gap of its grid point's other replicates.

    No function of the hyper-parameters, and no measure that is equal for replicates, can be
    expected to do much better. A network without a replicate is predicted by the mean of the other
    networks.

    Args:
        designs: the networks, some of which are replicates.

    Returns:
        (networks,) predictions.
    """
    gaps, points = designs.gaps, designs.points
    counts = np.bincount(points)[points]
    others = (point_means(points, gaps) * counts - gaps) / np.maximum(counts - 1, 1)
    rest = (gaps.sum() - gaps) / (len(gaps) - 1)
    return np.asarray(np.where(counts > 1, others, rest))


def point_means(points: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Return (networks,): the mean gap of each network's grid point."""
    counts = np.bincount(points)
    return np.asarray((np.bincount(points, weights=gaps) / np.maximum(counts, 1))[points])
