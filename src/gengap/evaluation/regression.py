"""Least squares of the gap under 5x2 cross-validation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gengap.evaluation.designs import Design, most_principal_components

REPEATS = 5
"""Number of random halvings of the networks (Dietterich 1998)."""
EXPLAINED_VARIANCE = 0.95
"""Fraction of the training networks' variance that the principal components keep."""
RANK_TOLERANCE = 1e-6
"""Directions below this fraction of the largest singular value count as rounding.

Most measures come from float32 networks, and scikit-learn's ``LinearRegression`` draws the line
there too.
"""
CONSTANT_TOLERANCE = 1e-12
"""A column whose spread is below this fraction of its size does not vary."""


def halves(networks: int, rng: np.random.Generator) -> np.ndarray:
    """Halve the networks at random, five times.

    With an odd number of networks the first half is the smaller one. Fold 0 is tested on the first
    half, fold 1 on the second; either is trained on the other.

    Args:
        networks: how many there are.
        rng: draws the halvings.

    Returns:
        (5, networks) bool: whether a network is in the first half.
    """
    order = np.argsort(rng.random((REPEATS, networks)), axis=1)
    first = np.zeros((REPEATS, networks), dtype=bool)
    np.put_along_axis(first, order[:, : networks // 2], True, axis=1)
    return first


def principal_components(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Project both halves on the first principal components of the training half.

    As many components as explain 95 % of the training variance, at least one and at most a quarter
    of the training networks. Columns keep their unit: they are pixels of one image, or values of
    one landscape, and those that hardly vary should not count as much as the others.

    Args:
        train: (training networks, columns).
        test: (other networks, columns).

    Returns:
        (training networks, components) and (other networks, components) scores.
    """
    mean = train.mean(axis=0)
    _, singular, directions = np.linalg.svd(train - mean, full_matrices=False)
    variance = np.cumsum(singular**2)
    enough = int(np.searchsorted(variance, EXPLAINED_VARIANCE * variance[-1])) + 1
    chosen = directions[: min(enough, most_principal_components(len(train)))]
    return (train - mean) @ chosen.T, (test - mean) @ chosen.T


def span(values: np.ndarray) -> np.ndarray:
    """Return the same points in at most as many coordinates as there are points.

    Principal components of any subset do not change under a rotation, so long vectors are rotated
    into the span of the networks once instead of in each fold.

    Args:
        values: (networks, columns).

    Returns:
        (networks, at most networks).
    """
    if values.shape[1] <= len(values):
        return values
    left, singular, _ = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    return np.asarray(left * singular)


def held_out_r2(
    train: np.ndarray, train_gaps: np.ndarray, test: np.ndarray, test_gaps: np.ndarray
) -> float:
    """Compute R2 on held-out networks of ordinary least squares with an intercept.

    R2 = 1 - sum (y - prediction)^2 / sum (y - mean of the held-out y)^2, as scikit-learn's
    ``r2_score``; where the held-out gaps are all equal it is 1 for a perfect prediction and 0
    otherwise, as there.

    The coefficients are those of minimum norm on columns standardised over the training networks
    (scikit-learn's ``StandardScaler`` before ``LinearRegression``). Where the solution is unique,
    that is ordinary least squares; where it is not, the result still does not depend on the units
    of the columns. Constant columns have no influence.

    Args:
        train: (training networks, columns); zero columns predict the training mean.
        train_gaps: (training networks,).
        test: (held-out networks, columns).
        test_gaps: (held-out networks,).

    Returns:
        R2, at most 1.
    """
    mean = train.mean(axis=0)
    centred = train - mean
    spread = np.sqrt(np.mean(centred**2, axis=0))
    varies = spread > CONSTANT_TOLERANCE * np.abs(mean)
    scale = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)
    level = train_gaps.mean()
    prediction = np.full(len(test), level)
    if varies.any():
        coefficients, *_ = np.linalg.lstsq(
            centred * scale, train_gaps - level, rcond=RANK_TOLERANCE
        )
        prediction += ((test - mean) * scale) @ coefficients
    error = float(np.sum((test_gaps - prediction) ** 2))
    total = float(np.sum((test_gaps - test_gaps.mean()) ** 2))
    if total == 0:
        return 1.0 if error == 0 else 0.0
    return 1.0 - error / total


def cross_validate(
    designs: Sequence[Design], base: Design, gaps: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the held-out R2 of each design, alone and beside a base design, in each fold.

    Args:
        designs: what to regress on.
        base: regressed on together with each design (the hyper-parameters); where it is one of
            the designs, it adds nothing to itself.
        gaps: (networks,).
        first: (repeats, networks) bool from ``halves``, shared by all designs.

    Returns:
        Two (designs, repeats, 2) arrays: R2 alone, and R2 together with the base.
    """
    matrices = [span(design.values) if design.reduced else design.values for design in designs]
    alone = np.empty((len(designs), len(first), 2))
    together = np.empty_like(alone)
    for repeat, half in enumerate(first):
        for fold, test in enumerate((half, ~half)):
            train = ~test
            for index, (design, matrix) in enumerate(zip(designs, matrices, strict=True)):
                inside, outside = matrix[train], matrix[test]
                if design.reduced:
                    inside, outside = principal_components(inside, outside)
                alone[index, repeat, fold] = held_out_r2(inside, gaps[train], outside, gaps[test])
                if design is base:
                    together[index, repeat, fold] = alone[index, repeat, fold]
                    continue
                together[index, repeat, fold] = held_out_r2(
                    np.hstack([base.values[train], inside]),
                    gaps[train],
                    np.hstack([base.values[test], outside]),
                    gaps[test],
                )
    return alone, together
