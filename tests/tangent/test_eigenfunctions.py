"""Eigenfunctions against matrices whose decomposition is known, and Nystrom's method."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator
from tests.tangent.conftest import layers, points, seeded

from gengap.errors import GengapError
from gengap.networks import Network, weights_of
from gengap.tangent import (
    eigenfunctions,
    empirical_ntk,
    extend,
    kernel_operator,
    nystrom,
    read_eigenfunctions,
    write_eigenfunctions,
)

VALUES = 2.0 ** -np.arange(30.0)


def known(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A kernel with the eigenvalues 1, 1/2, 1/4, ..., and its eigenvectors."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((30, 30)))
    kernel = (basis * VALUES) @ basis.T
    return (kernel + kernel.T) / 2, basis


@pytest.mark.parametrize("solver", ["auto", "exact", "lanczos", "lobpcg"])
def test_every_solver_finds_the_known_decomposition(solver: Any) -> None:
    kernel, basis = known()
    found = eigenfunctions(kernel, 4, solver=solver, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.values, VALUES[:4], rtol=1e-6)
    np.testing.assert_allclose(np.abs(basis[:, :4].T @ found.functions), np.eye(4), atol=1e-5)
    np.testing.assert_allclose(found.functions.T @ found.functions, np.eye(4), atol=1e-8)
    assert (found.functions.max(0) == np.abs(found.functions).max(0)).all()
    exact = np.linalg.norm(kernel @ found.functions - found.functions * found.values, axis=0)
    np.testing.assert_allclose(found.residuals, exact, atol=1e-12)
    assert found.residuals.max() < 1e-5


def test_an_operator_gives_the_eigenfunctions_of_its_kernel(small: Network) -> None:
    inputs = points(small, 40)
    exact = eigenfunctions(empirical_ntk(small, inputs), 3)
    rng = np.random.default_rng(0)
    found = eigenfunctions(kernel_operator(small, inputs), 3, rng=rng)
    np.testing.assert_allclose(found.values, exact.values, rtol=1e-4)
    np.testing.assert_allclose(found.functions, exact.functions, atol=1e-2)
    assert found.residuals.max() < 1e-4 * found.values[0]


def test_labels_are_the_signs() -> None:
    kernel, _ = known()
    found = eigenfunctions(kernel)
    assert len(found.values) == 30
    assert np.array_equal(found.labels(7), (found.functions[:, 7] > 0).astype(np.int64))
    assert found.labels(7).dtype == np.int64
    for index in (30, -1):
        with pytest.raises(GengapError, match=f"index {index} .* choose an index from 0 to 29"):
            found.labels(index)


def test_nystrom_with_all_points_is_exact(small: Network) -> None:
    inputs = points(small, 25)
    exact = eigenfunctions(empirical_ntk(small, inputs), 5)
    found = nystrom(small, inputs, 5, landmarks=25, rng=np.random.default_rng(0))
    np.testing.assert_allclose(found.values, exact.values, rtol=1e-4)
    np.testing.assert_allclose(found.functions, exact.functions, atol=1e-2)
    assert found.residuals.max() < 1e-4 * exact.values[0]


def test_nystrom_comes_closer_with_more_landmarks(small: Network) -> None:
    inputs = points(small, 60)
    kernel = empirical_ntk(small, inputs).astype(np.float64)
    largest = np.linalg.eigvalsh(kernel)[-1]
    worst = []
    for landmarks in (6, 30, 58):
        rng = np.random.default_rng(0)
        found = nystrom(small, inputs, 4, landmarks=landmarks, rng=rng)
        np.testing.assert_allclose(found.functions.T @ found.functions, np.eye(4), atol=1e-8)
        residuals = np.linalg.norm(
            kernel @ found.functions - found.functions * found.values, axis=0
        )
        np.testing.assert_allclose(found.residuals, residuals, atol=1e-4 * largest)
        assert (found.values <= np.linalg.eigvalsh(kernel)[::-1][:4] * (1 + 1e-5)).all()
        worst.append(residuals.max())
    assert worst[0] > worst[1] > worst[2]
    skipped = nystrom(small, inputs, 4, landmarks=6, rng=np.random.default_rng(0), residuals=False)
    assert np.isnan(skipped.residuals).all()


def test_the_extension_reproduces_the_points_and_reaches_others(small: Network) -> None:
    inputs = points(small, 40)
    found = eigenfunctions(empirical_ntk(small, inputs, double=True), 5)
    again = extend(found, empirical_ntk(small, inputs, double=True))
    np.testing.assert_allclose(again, found.functions, atol=1e-5)
    cross = empirical_ntk(small, points(small, 7, seed=3), inputs)
    expected = cross @ np.linalg.pinv(empirical_ntk(small, inputs), rcond=1e-6) @ found.functions
    np.testing.assert_allclose(extend(found, cross), expected, atol=1e-2)
    with pytest.raises(GengapError, match=r"shape \[7, 3\] does not extend .* 40 points"):
        extend(found, cross[:, :3])
    flat = eigenfunctions(np.ones((40, 40)))
    with pytest.raises(GengapError, match="eigenvalue 0 has no extension"):
        extend(flat, cross)


@pytest.mark.parametrize(
    ("kernel", "keywords", "sentence"),
    [
        (np.diag([1.0, -0.01]), {}, r"not positive semi-definite: its eigenvalue -0\.01"),
        (np.diag([1.0, -0.01]), {"count": 1}, "not positive semi-definite"),
        (np.ones((2, 3)), {}, r"shape \[2, 3\] has no eigenfunctions"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), {}, "not symmetric"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), {}, "NaN or infinity"),
        (np.eye(3), {"count": 4}, "4 eigenfunctions of a kernel on 3 points"),
        (np.eye(3), {"count": 0}, "choose from 1 to 3"),
        (np.eye(9), {"count": 2, "solver": "lanczos"}, "starts at random: give it an rng"),
    ],
)
def test_what_has_no_eigenfunctions_is_refused(
    kernel: np.ndarray, keywords: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(GengapError, match=sentence):
        eigenfunctions(kernel, **keywords)


def test_solvers_refuse_what_they_cannot_find(small: Network) -> None:
    rng = np.random.default_rng(0)
    operator = kernel_operator(small, points(small, 8))
    with pytest.raises(GengapError, match="An operator cannot be decomposed exactly"):
        eigenfunctions(operator, 2, solver="exact")
    with pytest.raises(GengapError, match="None eigenfunctions of a kernel on 8 points"):
        eigenfunctions(operator, rng=rng)
    with pytest.raises(GengapError, match="Lanczos finds fewer than all 8"):
        eigenfunctions(operator, 8, rng=rng)
    with pytest.raises(GengapError, match="LOBPCG finds fewer than a fifth of all 8"):
        eigenfunctions(operator, 2, solver="lobpcg", rng=rng)
    with pytest.raises(GengapError, match="Unknown solver 'power'"):
        eigenfunctions(operator, 2, solver="power", rng=rng)  # type: ignore[arg-type]
    with pytest.raises(GengapError, match="5 eigenfunctions from 4 landmarks of 8 points"):
        nystrom(small, points(small, 8), 5, landmarks=4, rng=rng)
    same = np.repeat(points(small, 1), 8, axis=0)
    with pytest.raises(GengapError, match="among the 4 landmarks has rank 1"):
        nystrom(small, same, 2, landmarks=4, rng=rng)


def test_rounding_is_no_reason_to_refuse(small: Network) -> None:
    """The kernel of many equal points has eigenvalues that rounding makes negative."""
    kernel = empirical_ntk(small, np.repeat(points(small, 5), 30, axis=0))
    assert np.linalg.eigvalsh(kernel.astype(np.float64)).min() < 0
    assert (eigenfunctions(kernel).values >= 0).all()


@pytest.mark.parametrize("share", [1e-3, 1e-4])
def test_a_negative_eigenvalue_of_many_points_in_float32_is_no_rounding(share: float) -> None:
    basis, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((500, 500)))
    values = np.append(2.0 ** -np.arange(499.0), -share)
    kernel = ((basis * values) @ basis.T).astype(np.float32)
    kernel = (kernel + kernel.T) / 2
    with pytest.raises(GengapError, match="not positive semi-definite"):
        eigenfunctions(kernel)
    positive = ((basis * np.abs(values)) @ basis.T).astype(np.float32)
    assert (eigenfunctions((positive + positive.T) / 2, 5).values > 0).all()


def test_the_rng_draws_the_landmarks_of_sorted_inputs(
    small: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first points would all be of one class where inputs are sorted by class."""
    inputs = points(small, 40)
    inputs = inputs[np.argsort(inputs.sum((1, 2, 3)))]
    drawn: list[np.ndarray] = []

    def remember(network: Network, x1: np.ndarray, x2: np.ndarray, **keywords: Any) -> np.ndarray:
        drawn.append(np.array([np.flatnonzero((x1 == each).all((1, 2, 3)))[0] for each in x2]))
        return empirical_ntk(network, x1, x2, **keywords)

    module = import_module("gengap.tangent.eigenfunctions")  # a function has its name
    monkeypatch.setattr(module, "empirical_ntk", remember)
    first, second, again = (
        nystrom(small, inputs, 3, landmarks=10, rng=np.random.default_rng(seed), residuals=False)
        for seed in (0, 1, 0)
    )
    assert all(len(set(each.tolist())) == 10 for each in drawn)
    assert all(each.min() < 20 <= each.max() for each in drawn)
    assert drawn[0].tolist() == drawn[2].tolist() != drawn[1].tolist()
    assert np.array_equal(first.functions, again.functions)
    assert not np.allclose(first.values, second.values, rtol=1e-6)


@pytest.mark.parametrize("solver", ["lanczos", "lobpcg"])
@pytest.mark.parametrize("operator", [False, True])
def test_a_negative_eigenvalue_at_the_other_end_is_found(solver: Any, operator: bool) -> None:
    matrix = np.diag([*np.linspace(1.0, 0.1, 39), -0.9])
    kernel = aslinearoperator(matrix) if operator else matrix
    with pytest.raises(GengapError, match=r"not positive semi-definite: its eigenvalue -0\.9 "):
        eigenfunctions(kernel, 3, solver=solver, rng=np.random.default_rng(0))


@pytest.mark.parametrize("solver", ["lanczos", "lobpcg"])
@pytest.mark.filterwarnings("ignore:Exited")
def test_a_kernel_of_low_rank_is_decomposed_by_products(solver: Any) -> None:
    network = seeded(layers({"layer_name": "Dense", "units": 1}, input_shape=(3,)))
    inputs = points(network, 40)
    operator = kernel_operator(network, inputs)
    found = eigenfunctions(operator, 6, solver=solver, rng=np.random.default_rng(0))
    expected = np.linalg.eigvalsh(inputs @ inputs.T + 1.0)[::-1][:6]
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


def test_files_hold_eigenfunctions_and_weights(tmp_path: Path) -> None:
    network = seeded({"architecture": "lenet", "input_shape": [4, 4, 1], "classes": 1})
    found = eigenfunctions(empirical_ntk(network, points(network, 6)), 3)
    write_eigenfunctions(found, tmp_path / "a.safetensors", network=network)
    write_eigenfunctions(found, tmp_path / "b.safetensors", network=network)
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    again, weights = read_eigenfunctions(tmp_path / "a.safetensors")
    for name in ("values", "functions", "residuals"):
        assert np.array_equal(getattr(again, name), getattr(found, name))
    assert {k: v.tolist() for k, v in weights.items()} == {
        k: v.tolist() for k, v in weights_of(network).items()
    }
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    for name in ("bad", "missing"):
        with pytest.raises(GengapError, match="holds no eigenfunctions"):
            read_eigenfunctions(tmp_path / f"{name}.safetensors")
