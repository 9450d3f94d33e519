"""Spectra of the Hessian against the eigenvalues of the matrix itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gengap.curvature import effective_dimensionality, hessian
from gengap.studies.context import Context, load_dataset
from gengap.studies.solving import solve
from gengap.studies.spectra import Spectrum, eigenpairs_of, spectrum_of

CONTEXT = Context(5, None, torch.device("cpu"))
DATA = load_dataset(CONTEXT, {"name": "moons", "train_size": 40, "test_size": 10})
SOLUTION = solve(
    CONTEXT, DATA, {"template": "dense", "width": 8, "depth": 1}, {"epochs": 30, "batch_size": 10}
)
MATRIX = hessian(SOLUTION.network, "cross_entropy", SOLUTION.train, dtype="float64").dense()
VALUES = np.linalg.eigvalsh(MATRIX)[::-1]
NONE = np.zeros(0)


def test_all_eigenpairs_of_a_small_hessian() -> None:
    pairs = eigenpairs_of(CONTEXT, SOLUTION.network, SOLUTION.train, "cross_entropy")
    np.testing.assert_allclose(pairs.values, VALUES, atol=1e-12)
    assert pairs.spectrum.least == pairs.values[-1] < 0
    assert pairs.trace == pytest.approx(np.trace(MATRIX))
    np.testing.assert_allclose(
        MATRIX @ pairs.vectors, pairs.vectors * pairs.values, atol=1e-12 * len(VALUES)
    )
    np.testing.assert_allclose(
        pairs.spectrum.dimensions([0.1]), [effective_dimensionality(VALUES, 0.1)]
    )


def test_leading_eigenpairs_of_a_large_hessian() -> None:
    pairs = eigenpairs_of(
        CONTEXT, SOLUTION.network, SOLUTION.train, "cross_entropy", 4, dense_limit=10
    )
    np.testing.assert_allclose(pairs.values, VALUES[:4], rtol=1e-6)
    assert pairs.vectors.shape == (len(VALUES), 4)
    assert pairs.spectrum.least == pytest.approx(VALUES[-1], rel=1e-4)
    assert pairs.trace == pytest.approx(np.trace(MATRIX), rel=0.3)


def test_the_quadrature_stands_for_the_eigenvalues_that_are_not_computed() -> None:
    operator = hessian(SOLUTION.network, "cross_entropy", SOLUTION.train)
    spectrum, density = spectrum_of(CONTEXT, operator, 5)
    np.testing.assert_allclose(spectrum.values, VALUES[:5], rtol=1e-3)
    assert spectrum.weights.sum() == pytest.approx(len(VALUES) - 5)
    assert spectrum.least == pytest.approx(VALUES[-1], rel=1e-3)
    leading = effective_dimensionality(VALUES[:5], 0.01)
    assert spectrum.leading_dimensions([0.01])[0] == pytest.approx(leading, rel=1e-3)
    # The quadrature of one seed is noisy; its mean over seeds is not.
    several = [spectrum_of(CONTEXT.derived(seed), operator, 5) for seed in range(4)]
    dimension = np.mean([spectrum.dimensions([0.01])[0] for spectrum, _ in several])
    assert dimension == pytest.approx(effective_dimensionality(VALUES, 0.01), rel=0.25)
    mass = np.mean([density.negatives()[1].value for _, density in several])
    assert mass == pytest.approx(-VALUES[VALUES < 0].sum(), rel=0.4)
    assert spectrum.dimensions([0.01])[0] > leading
    assert density.nodes.size == np.count_nonzero(spectrum.weights)


def test_fewer_eigenvalues_than_asked_for_are_filled_up() -> None:
    operator = hessian(SOLUTION.network, "cross_entropy", SOLUTION.train)
    spectrum, _ = spectrum_of(CONTEXT, operator, operator.size + 3)
    assert np.isnan(spectrum.values[-3:]).all()
    assert np.isfinite(spectrum.values[:-3]).all()
    assert spectrum.dimensions([0.1])[0] == pytest.approx(
        effective_dimensionality(VALUES, 0.1), rel=1e-3
    )


def test_spectra_of_several_networks_are_summed_one_by_one() -> None:
    values = np.array([[3.0, 1.0], [2.0, np.nan]])
    nodes, weights = np.array([[0.5, -0.1], [0.2, 0.0]]), np.array([[2.0, 1.0], [4.0, 0.0]])
    spectrum = Spectrum(values, np.array([-0.1, 0.0]), nodes, weights)
    expected = [[3 / 4 + 1 / 2 + 2 * 0.5 / 1.5], [2 / 3 + 4 * 0.2 / 1.2]]
    np.testing.assert_allclose(spectrum.dimensions([1.0]), expected)
    np.testing.assert_allclose(spectrum.leading_dimensions([1.0]), [[1.25], [2 / 3]])


def test_outliers_stand_above_the_bulk() -> None:
    values = np.array([90.0, 80.0, 1.0, 0.5, 0.4, -0.6])
    spectrum = Spectrum(values, -0.6, NONE, NONE)
    assert spectrum.outliers == 2
    assert spectrum.above_bulk == 3
    assert Spectrum(np.array([2.0, 0.5, 0.0]), 0.0, NONE, NONE).above_bulk == 2
