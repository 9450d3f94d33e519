"""Leading eigenpairs by blocks of products, against LAPACK's decomposition of the whole matrix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gengap.errors import GengapError
from gengap.limits import lanczos_basis, lanczos_block
from gengap.tangent import eigenfunctions, krylov
from gengap.tangent.krylov import leading_eigenpairs
from gengap.threads import using_threads

Floats = np.ndarray


def matrix(size: int, power: float, rank: int | None = None, seed: int = 0) -> Floats:
    """A positive semi-definite matrix whose eigenvalues fall with a power of their rank."""
    basis, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    values = np.arange(1.0, size + 1) ** -power
    values[size if rank is None else rank :] = 0.0
    result = (basis * values) @ basis.T
    return np.asarray((result + result.T) / 2)


@pytest.mark.parametrize(("size", "count"), [(300, 1), (300, 40), (300, 130), (70, 69), (12, 12)])
@pytest.mark.parametrize("rank", [None, 5])
def test_the_leading_pairs_are_those_of_lapack(size: int, count: int, rank: int | None) -> None:
    kernel = matrix(size, 1.5, rank)
    widths: list[int] = []

    def multiply(vectors: Floats) -> Floats:
        widths.append(vectors.shape[1])
        return np.asarray(kernel @ vectors)

    values, functions = leading_eigenpairs(multiply, size, count, np.random.default_rng(0))
    expected, vectors = np.linalg.eigh(kernel)
    np.testing.assert_allclose(values, expected[::-1][:count], atol=1e-10)
    np.testing.assert_allclose(functions.T @ functions, np.eye(count), atol=1e-12)
    residuals = np.linalg.norm(kernel @ functions - functions * values, axis=0)
    assert residuals.max() < 1e-10
    assert max(widths) <= lanczos_block(count)
    if rank is None and count < size:
        angles = np.abs((functions * vectors[:, ::-1][:, :count]).sum(0))
        np.testing.assert_allclose(angles, 1.0, atol=1e-4)


def test_equal_eigenvalues_are_all_found() -> None:
    values = np.repeat([3.0, 2.0, 1.0, 0.1], [4, 4, 4, 188])
    basis, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((200, 200)))
    kernel = (basis * values) @ basis.T
    found, _ = leading_eigenpairs(lambda v: kernel @ v, 200, 12, np.random.default_rng(0))
    np.testing.assert_allclose(found, values[:12], atol=1e-9)


@pytest.mark.parametrize("killed_at", [1, 9, 31])
def test_a_killed_search_goes_on_to_the_same_bytes(tmp_path: Path, killed_at: int) -> None:
    """Killed in a product of the first cycle and of a later one."""
    kernel, products = matrix(400, 1.0), [0]

    def multiply(vectors: Floats) -> Floats:
        products[0] += 1
        if products[0] == killed_at + 1:
            raise KeyboardInterrupt
        return np.asarray(kernel @ vectors)

    def search(folder: Path | None) -> tuple[Floats, Floats]:
        return leading_eigenpairs(multiply, 400, 30, np.random.default_rng(0), folder)

    products[0] = killed_at + 1
    whole = search(None)
    in_one = products[0] - killed_at - 1
    assert in_one > killed_at
    products[0] = 0
    with pytest.raises(KeyboardInterrupt):
        search(tmp_path)
    again = search(tmp_path)
    # The product at which it was killed is the only one that is computed twice.
    assert products[0] == in_one + 1
    assert all(np.array_equal(one, other) for one, other in zip(whole, again, strict=True))


def test_a_state_of_another_search_is_not_taken_up(tmp_path: Path) -> None:
    for seed in (0, 1):
        kernel = matrix(300, 1.5, seed=seed)
        rng = np.random.default_rng(seed)
        values, _ = leading_eigenpairs(kernel.__matmul__, 300, 9 + seed, rng, tmp_path)
        np.testing.assert_allclose(values, np.arange(1.0, 10 + seed) ** -1.5, atol=1e-10)


@pytest.mark.slow
def test_threads_change_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(krylov, "POINTS", 64)
    monkeypatch.setattr("gengap.tangent.kernel.LARGEST_PRODUCT", 300 * 32)
    single = matrix(300, 1.5).astype(np.float32)
    kernel = (single + single.T) / 2
    results = []
    for threads in (1, 2, 4):
        with using_threads(threads):
            rng = np.random.default_rng(0)
            results.append(eigenfunctions(kernel, 20, solver="lanczos", rng=rng))
    for other in results[1:]:
        assert np.array_equal(other.values, results[0].values)
        assert np.array_equal(other.functions, results[0].functions)
        assert np.array_equal(other.residuals, results[0].residuals)


def test_what_does_not_converge_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(krylov, "RESTARTS", 0)
    kernel = matrix(300, 0.1)
    with pytest.raises(GengapError, match="20 eigenfunctions of 300 points did not converge"):
        leading_eigenpairs(lambda v: kernel @ v, 300, 20, np.random.default_rng(0))


@pytest.mark.parametrize(("size", "count"), [(60_000, 3001), (5000, 250), (100, 10), (40, 39)])
def test_a_basis_is_whole_blocks_or_the_whole_space(size: int, count: int) -> None:
    most, block = lanczos_basis(size, count), lanczos_block(count)
    assert most == size or (most % block == 0 and most + block <= size)
    assert count <= most <= 2 * count + 24 + 3 * block
