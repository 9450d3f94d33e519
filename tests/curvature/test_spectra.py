"""Spectra of matrices that are known, and of networks small enough to form theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from torch import nn

from gengap.curvature import (
    effective_dimensionality,
    ggn,
    hessian,
    negatives,
    outliers,
    spectra,
    stochastic,
    sweep,
)
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import dense

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]


def rotated(
    values: Sequence[float] | np.ndarray, seed: int = 0, dtype: str = "float64"
) -> LinearOperator:
    """A matrix of these eigenvalues in a random basis."""
    size = len(values)
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))[0]
    return aslinearoperator(((basis * np.array(values)) @ basis.T).astype(dtype))


DECAYING = np.concatenate([[50.0, 20, 10, 8, 5, -3, -1], 1 / np.arange(1, 194) ** 2])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 4, 20])
def test_outermost_eigenpairs(dtype: str, count: int) -> None:
    operator = rotated(DECAYING, dtype=dtype)
    scale = spectra.TOLERANCE[dtype]
    for which, expected in (("top", -np.sort(-DECAYING)), ("bottom", np.sort(DECAYING))):
        pairs = spectra.eigsh(operator, count, which)  # type: ignore[arg-type]
        np.testing.assert_allclose(pairs.values, expected[:count], atol=4 * 50 * scale)
        np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(count), atol=scale)
        wrong = operator @ pairs.vectors - pairs.vectors * pairs.values
        rounding = 50 * np.finfo(dtype).eps * 10
        assert (np.linalg.norm(wrong, axis=0) <= pairs.residuals + rounding).all()


def test_repeated_eigenvalues_are_all_found() -> None:
    values = [5.0, 5, 5, 3, 3, *np.linspace(0, 1, 150)]
    operator = rotated(values)
    found = spectra.eigsh(operator, 5).values
    np.testing.assert_allclose(found, [5, 5, 5, 3, 3], atol=1e-9)
    identity = aslinearoperator(np.eye(30))
    np.testing.assert_allclose(spectra.eigsh(identity, 4).values, np.ones(4), atol=1e-12)
    zero = aslinearoperator(np.zeros((30, 30)))
    pairs = spectra.eigsh(zero, 3)
    assert not pairs.values.any()
    np.testing.assert_allclose(pairs.vectors.T @ pairs.vectors, np.eye(3), atol=1e-12)


def test_all_pairs_are_the_whole_matrix() -> None:
    values = np.random.default_rng(0).standard_normal(30)
    operator = rotated(values)
    pairs = spectra.eigsh(operator, 30)
    np.testing.assert_allclose(pairs.values, -np.sort(-values), atol=1e-12)
    whole = (pairs.vectors * pairs.values) @ pairs.vectors.T
    np.testing.assert_allclose(whole, operator @ np.eye(30), atol=1e-12)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "0 eigenpairs are asked for: ask for at least 1"),
        (31, "31 eigenpairs are asked for, but there are 30 parameters"),
    ],
)
def test_counts_that_make_no_sense(count: int, sentence: str) -> None:
    with pytest.raises(GengapError, match=sentence):
        spectra.eigsh(rotated(np.arange(30.0)), count)


def test_an_unknown_end_is_refused() -> None:
    with pytest.raises(GengapError, match="'middle': choose top or bottom"):
        spectra.eigsh(rotated(np.arange(9.0)), 1, "middle")  # type: ignore[arg-type]


def test_what_does_not_converge_is_refused_with_its_residual() -> None:
    close = 1 - np.linspace(0, 1e-3, 400)
    with pytest.raises(GengapError, match=r"0 of 3 .* 1\d\d products .* residual is \d"):
        spectra.eigsh(rotated(close), 3, limit=100, tolerance=1e-12)


def test_a_dense_spectrum_and_its_limit(seeded: Builder, random_split: DataMaker) -> None:
    operator = hessian(seeded(dense((4,), 3, width=5, depth=1)), "cross_entropy", random_split())
    values = operator.spectrum()
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(operator.eigsh(5).values, values[:5], rtol=1e-4)
    np.testing.assert_allclose(operator.eigsh(3, "bottom").values, values[::-1][:3], atol=1e-6)
    with pytest.raises(GengapError, match="3001 parameters is too large to be formed"):
        spectra.dense(aslinearoperator(np.broadcast_to(0.0, (3001, 3001))))


def test_negative_eigenvalues_are_counted_beyond_rounding() -> None:
    values = np.array([10.0, 1, 1e-9, -1e-9, -0.5, -2])
    found = negatives(values)
    assert found.count == 2
    assert found.mass == pytest.approx(2.5 + 1e-9)
    assert negatives(np.zeros(3)) == spectra.Negatives(0, 0.0)


def test_small_negative_eigenvalues_of_many_count() -> None:
    """A bound that grew with p would leave both out."""
    values = np.r_[50.0, np.zeros(2997), -0.006, -0.0075]
    found = negatives(values)
    assert found.count == 2
    assert found.mass == pytest.approx(0.0135)


def test_double_precision_resolves_what_single_does_not() -> None:
    values = np.array([10.0, -1e-9])
    assert (negatives(values).count, negatives(values, np.float64).count) == (0, 1)
    assert sweep(values, [1.0], np.float64).negatives.count == 1


def test_a_spectrum_is_judged_by_the_operators_precision(caplog: pytest.LogCaptureFixture) -> None:
    matrix = np.diag([10.0, 1.0, -1e-9])
    with caplog.at_level("INFO"):
        spectra.spectrum(aslinearoperator(matrix))
        spectra.spectrum(aslinearoperator(matrix.astype(np.float32)))
    assert ["1 below zero" in message for message in caplog.messages] == [True, False]


def test_zeros_of_a_semidefinite_matrix_are_no_negatives(
    seeded: Builder, random_split: DataMaker
) -> None:
    data = random_split()
    for dtype in ("float32", "float64"):
        network = seeded(dense((4,), 3, width=30, depth=1))
        operator = ggn(network, "cross_entropy", data, dtype=dtype)
        assert negatives(operator.spectrum(), operator.dtype).count == 0


@pytest.mark.parametrize("sketch", [True, False])
def test_traces_are_within_their_errors(sketch: bool) -> None:
    operator = rotated(DECAYING)
    estimates = [stochastic.trace(operator, 30, sketch=sketch, seed=seed) for seed in range(40)]
    values = np.array([estimate.value for estimate in estimates])
    errors = np.array([estimate.standard_error for estimate in estimates])
    assert abs(values.mean() - DECAYING.sum()) < 4 * values.std(ddof=1) / math.sqrt(40)
    assert 0.6 < math.sqrt((errors**2).mean()) / values.std(ddof=1) < 1.6


def test_the_sketch_pays_for_a_decaying_spectrum() -> None:
    operator = rotated(DECAYING)
    plain, sketched = (stochastic.trace(operator, 60, sketch=sketch) for sketch in (False, True))
    assert sketched.standard_error < plain.standard_error / 10


def test_hutchinson_is_exact_for_a_diagonal() -> None:
    estimate = stochastic.trace(aslinearoperator(np.diag([3.0, -1, 4])), 5, sketch=False)
    assert estimate.value == pytest.approx(6)
    assert estimate.standard_error == pytest.approx(0, abs=1e-12)


def test_a_trace_without_a_standard_error_is_refused() -> None:
    for products, sketch in ((5, True), (1, False)):
        with pytest.raises(GengapError, match="has no standard error"):
            stochastic.trace(rotated([1.0, 2]), products, sketch=sketch)


def test_spectral_densities_give_sums_over_the_spectrum() -> None:
    operator = rotated(DECAYING)
    plain = stochastic.spectral_density(operator, runs=30, steps=60)
    deflated = stochastic.spectral_density(
        operator, runs=30, steps=60, known=spectra.eigsh(operator, 10)
    )
    for function in (np.abs, np.square, lambda x: np.maximum(x, 0) / (np.maximum(x, 0) + 0.1)):
        expected = function(DECAYING).sum()
        for density in (plain, deflated):
            estimate = density.total(function)
            assert abs(estimate.value - expected) < 4 * estimate.standard_error + 1e-9
        assert deflated.total(function).standard_error < plain.total(function).standard_error
    assert plain.weights.sum(axis=1) == pytest.approx(np.full(30, 200))
    assert deflated.weights.sum(axis=1) == pytest.approx(np.full(30, 190))


def test_a_density_integrates_to_one_around_the_eigenvalues() -> None:
    values = np.repeat([0.0, 4.0], [150, 50])
    density = stochastic.spectral_density(rotated(values), runs=20, steps=10)
    grid = np.linspace(-2, 6, 801)
    heights = density.density(grid, width=0.2)
    assert np.trapezoid(heights, grid) == pytest.approx(1, abs=1e-3)
    assert np.trapezoid(heights[grid > 2], grid[grid > 2]) == pytest.approx(0.25, abs=0.03)


def test_a_density_of_a_fully_known_spectrum() -> None:
    operator = rotated([3.0, 2, 1])
    known = spectra.eigsh(operator, 3)
    estimate = stochastic.spectral_density(operator, known=known).total(lambda x: x)
    assert estimate.value == pytest.approx(6)


def test_negatives_from_a_density() -> None:
    """Of clusters whose nodes are exact in a few steps; zeros, off by rounding, do not count."""
    values = [9.0, *[1.0] * 100, *[1e-5] * 40, *[-1e-5] * 30, *[-2.0] * 25]
    operator = rotated(values)
    plain = stochastic.spectral_density(operator, runs=60, steps=5)
    known = stochastic.spectral_density(operator, known=spectra.eigsh(operator, 196))
    for density, close in ((plain, 0.1), (known, 1e-6)):
        number, mass = (estimate.value for estimate in density.negatives())
        assert number == pytest.approx(25, rel=close)
        assert mass == pytest.approx(50 + 30e-5, rel=close)


def test_a_density_without_runs_is_refused() -> None:
    with pytest.raises(GengapError, match="0 runs of 5 steps"):
        stochastic.spectral_density(rotated([1.0, 2]), runs=0, steps=5)


@pytest.mark.parametrize("data_seed", [0, 1, 2])
def test_data_from_the_default_seed_are_not_the_random_vectors(data_seed: int) -> None:
    """Data of a user's default_rng(0) once were the starting vectors: 32.66 +- 1.10 for 23.86."""
    inputs = np.random.default_rng(data_seed).standard_normal((50, 12)).astype(np.float32)
    network = nn.Linear(12, 6, bias=False)
    data = Split(inputs, np.arange(50) % 6, 6)
    operator = hessian(network, "mse", data, dtype="float64")
    exact = 2 * float((inputs.astype(float) ** 2).sum()) / 50
    for estimate in (operator.spectral_density().total(lambda values: values), operator.trace()):
        assert abs(estimate.value - exact) < 3 * estimate.standard_error


def test_a_derived_seed_is_used_as_it_is() -> None:
    operator = rotated(DECAYING)
    signs = np.random.default_rng(99).choice(np.array([-1.0, 1.0]), (200, 1))[:, 0]
    first = stochastic.trace(operator, 2, sketch=False, seed=np.random.SeedSequence(99))
    rest = np.random.default_rng(99)
    samples = [
        v @ operator.matvec(v)
        for v in (rest.choice(np.array([-1.0, 1.0]), (200, 1))[:, 0] for _ in range(2))
    ]
    assert first.value == pytest.approx(np.mean(samples), rel=1e-12)
    assert samples[0] == pytest.approx(signs @ operator.matvec(signs))
    assert stochastic.trace(operator, 2, sketch=False, seed=99).value != first.value


def test_effective_dimensionality_by_hand() -> None:
    values = np.array([3.0, 1.0, 0.0, -5.0])
    assert effective_dimensionality(values, 1.0) == pytest.approx(3 / 4 + 1 / 2)
    found = sweep(values, [1.0, 3.0])
    assert found.values == pytest.approx([1.25, 0.75])
    assert found.negatives == spectra.Negatives(1, 5.0)


def test_weight_decay_of_the_mean_is_n_times_that_of_the_sum(
    seeded: Builder, random_split: DataMaker
) -> None:
    network, data = seeded(dense((4,), 3, width=5, depth=1)), random_split(17)
    mean = ggn(network, "mse", data, dtype="float64").spectrum()
    total = ggn(network, "mse", data, dtype="float64", reduction="sum").spectrum()
    for alpha in (0.01, 1.0):
        expected = effective_dimensionality(mean, alpha)
        assert effective_dimensionality(total, 17 * alpha) == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.0, -1.0, math.nan, math.inf])
def test_alpha_is_a_positive_number(alpha: float) -> None:
    with pytest.raises(GengapError, match="give a finite number above 0"):
        effective_dimensionality(np.ones(3), alpha)


def test_eigenvalues_are_finite() -> None:
    with pytest.raises(GengapError, match=r"An eigenvalue .* is NaN or infinite"):
        effective_dimensionality(np.array([1.0, np.nan]), 1.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([100, 90, 80, 1, 0.9, 0.8], 3),
        ([100, 10, 9, 8], 1),
        ([5, 4, 1e-9, 1e-15, -3], 2),
        ([1, 0.9, 0.8, *27 * [0]], 3),
        ([5, 0, 0], 1),
        ([3, 3, 3, 0, 0], 3),
        ([100, 1, 0.9, 1e-7], 1),
        ([100, 1e-3, 9e-4, 0], 1),
        ([2, 2, 2], 0),
        ([3], 0),
        ([0, 0], 0),
        ([-1, -2], 0),
        # Gaps inside the bulk are larger than the one above it.
        ([90, 80, 70, 2, 1.9, 1.8, 1.7, 0.01, 0.009], 3),
        ([90, 80, 70, 2, 1.9, 1.8, 1.7, 1.6, 1e-5], 3),
        ([90, 80, 70, 2, 1.9, 1.8, 1.7, 1.6, -1], 3),
        ([5, *[1.0] * 28, 1e-3], 1),
        ([2, 2, 1, 1], 2),
    ],
)
def test_outliers_stand_above_the_largest_gap(values: list[float], expected: int) -> None:
    assert outliers(np.array(values, float)) == expected


@pytest.mark.parametrize(
    "values",
    [np.array([[1.0, 2.0]]), np.array([1 + 0j]), ["a"], [[1.0], [1.0, 2.0]], [np.nan, 1.0]],
)
def test_what_is_no_spectrum_is_refused(values: Any) -> None:
    for function in (outliers, lambda spectrum: effective_dimensionality(spectrum, 1.0)):
        with pytest.raises(GengapError, match=r"give real numbers of shape|is NaN or infinite"):
            function(values)


def test_spectra_as_notebooks_have_them() -> None:
    assert effective_dimensionality([1, 2, 3], 1) == pytest.approx(1 / 2 + 2 / 3 + 3 / 4)  # type: ignore[arg-type]
    two: Any = np.float32(2)
    assert effective_dimensionality(np.zeros(0), two) == 0.0
    assert outliers([5, 3, 0.1]) == 2  # type: ignore[arg-type]
    for alpha in ("1", None, [1.0]):
        with pytest.raises(GengapError, match="give a finite number above 0"):
            effective_dimensionality(np.ones(2), alpha)  # type: ignore[arg-type]


def test_all_eigenpairs_are_numpys_and_zero_rows_have_unit_vectors() -> None:
    rng = np.random.default_rng(3)
    matrix = np.zeros((700, 700))
    used = np.sort(rng.permutation(700)[:600])
    part = rng.standard_normal((600, 600))
    matrix[np.ix_(used, used)] = part + part.T
    values, vectors = spectra.eigh(aslinearoperator(matrix.copy()))
    assert np.allclose(values, np.linalg.eigvalsh(matrix)[::-1], atol=1e-11)
    assert np.allclose(matrix @ vectors, vectors * values, atol=1e-11)
    assert np.allclose(vectors.T @ vectors, np.eye(700), atol=1e-12)
    unit = np.flatnonzero(values == 0)
    assert len(unit) == 100
    assert set(np.abs(vectors[:, unit]).argmax(axis=0)) == set(range(700)) - set(used)
    with pytest.raises(GengapError, match=r"at most 699\).* take 0\.012 GB"):
        spectra.eigh(aslinearoperator(matrix), 699)


def test_a_matrix_of_several_blocks_is_formed_and_made_symmetric() -> None:
    matrix = np.random.default_rng(4).standard_normal((1100, 1100))
    formed = spectra.dense(aslinearoperator(matrix))
    assert np.allclose(formed, (matrix + matrix.T) / 2, atol=1e-13)
    assert np.array_equal(formed, formed.T)
