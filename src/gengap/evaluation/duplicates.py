"""Measures that say the same about the networks of a task, so that they are one row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gengap.evaluation.designs import Design, Designs, natural_key
from gengap.evaluation.regression import CONSTANT_TOLERANCE, span

TOLERANCE = 1e-6
"""Fraction of a measure's variance that another may leave unexplained and be its duplicate. Values
come from float32 networks, and their rounding may be a thousandth of their spread."""


def merged(designs: Designs) -> tuple[Designs, dict[str, tuple[str, ...]]]:
    """Keep one of each set of measures that are affine maps of each other over the networks.

    Least squares with an intercept predicts the same from two such measures. Scalars are compared
    with scalars and vectors with vectors, by the spaces that their columns span. Measures that are
    reduced to principal components are compared by the distances that they give between networks,
    up to a factor, since their columns keep their unit. A set is kept under the name of the measure
    with the fewest components, the first of them in natural order. Constants, and vectors that can
    express any gaps, are duplicates of nothing.

    Args:
        designs: the measures of a task.

    Returns:
        The designs without duplicates, and the names of the duplicates of each that has some.
    """
    ordered = sorted(
        designs.measures, key=lambda design: (len(design.components), natural_key(design.name))
    )
    prints = {design.name: fingerprint(design) for design in ordered}
    names: dict[str, list[str]] = {}
    first: list[tuple[tuple[bool, bool, int], np.ndarray, str]] = []
    for design in ordered:
        values = prints[design.name]
        # Distances may be equal in different numbers of coordinates.
        size = min(values.shape[1], 1) if design.reduced else values.shape[1]
        alike = (design.kind == "scalar", design.reduced, size)
        for others, reference, name in first:
            if values.shape[1] and alike == others and equal(values, reference, design.reduced):
                names.setdefault(name, []).append(design.name)
                break
        else:
            first.append((alike, values, design.name))
    kept = {name for *_, name in first}
    duplicates = {name: tuple(sorted(of, key=natural_key)) for name, of in names.items()}
    measures = tuple(design for design in designs.measures if design.name in kept)
    return replace(designs, measures=measures), duplicates


def fingerprint(design: Design) -> np.ndarray:
    """Return what tells duplicates: a basis of the columns, or coordinates of the networks.

    Args:
        design: (networks, columns).

    Returns:
        An orthonormal basis (networks, rank) of the centred columns; or for a reduced design the
        centred columns, at most as many as networks, in a unit in which the inner products of
        networks have norm 1. Zero columns where nothing varies, or the rank is as large as it can
        be.
    """
    networks = len(design.values)
    none = np.zeros((networks, 0))
    centred = design.values - design.values.mean(axis=0)
    largest = np.abs(centred).max(axis=0)
    varies = largest > CONSTANT_TOLERANCE * np.abs(design.values).max(axis=0)
    if not varies.any():
        return none
    centred = centred[:, varies]
    if design.reduced:
        coordinates = span(centred / np.max(largest))
        # The products of columns have the norm of the products of networks.
        return np.asarray(coordinates / np.sqrt(np.linalg.norm(coordinates.T @ coordinates)))
    centred = centred / largest[varies]
    left, singular, _ = np.linalg.svd(
        centred / np.linalg.norm(centred, axis=0), full_matrices=False
    )
    rank = int(np.sum(singular**2 > TOLERANCE * singular[0] ** 2))
    return none if rank >= networks - 1 else np.asarray(left[:, :rank])


def equal(first: np.ndarray, second: np.ndarray, reduced: bool) -> bool:
    """Tell whether two fingerprints are of the same space, or of equal distances."""
    if reduced:
        # The squared difference of two matrices of inner products of norm 1.
        return bool(2 - 2 * np.sum((first.T @ second) ** 2) <= TOLERANCE)
    products = second.T @ first
    # Columns have norm 1, so the products tell how much of them is left, up to rounding.
    if np.any(1 - np.sum(products**2, axis=0) > 2 * TOLERANCE):
        return False
    remainder = first - second @ products
    return bool(np.sum(remainder**2, axis=0).max() <= TOLERANCE)
