"""Krylov bases of a symmetric matrix, and its outermost eigenpairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from gengap.errors import GengapError
from gengap.limits import EXTRA_BASIS

Product = Callable[[np.ndarray], np.ndarray]

STRIDE = 10
"""Steps between checks of the residuals, and steps from a random vector that check a result."""
BREAKDOWN = 8.0
"""A next vector shorter than this many roundings of the matrix's norm counts as zero."""
PASSES = 2
"""Gram-Schmidt passes: two are orthogonal up to rounding (Giraud et al. 2005)."""


class KrylovBasis:
    """Orthonormal rows v_1, ..., v_m, each from the product with the one before it.

    Every new row is orthogonalised against all others, so the projection T = V A V^T is kept in
    full and may start from any rows (a thick restart, Wu and Simon 2000).

    Attributes:
        rows: (capacity, p).
        projection: T (capacity, capacity), float64.
        filled: m, the number of rows so far.
        coupling: length of the component of A v_m orthogonal to the rows; 0 at a breakdown.
        used: number of products taken.
    """

    def __init__(
        self,
        product: Product,
        size: int,
        capacity: int,
        rng: np.random.Generator,
        dtype: np.dtype[np.floating],
        avoid: np.ndarray | None = None,
    ) -> None:
        self._product, self._rng, self._avoid = product, rng, avoid
        self.rows = np.zeros((capacity, size), dtype)
        self.projection = np.zeros((capacity, capacity))
        self.filled = self.used = 0
        self.coupling = 0.0
        self._next = self.fresh()

    def fresh(self) -> np.ndarray:
        """Return a random unit vector orthogonal to all rows, and to those to avoid."""
        vector = self._rng.standard_normal(self.rows.shape[1]).astype(self.rows.dtype)
        vector /= np.linalg.norm(vector)
        _, vector = self._orthogonalise(vector)
        length = np.linalg.norm(vector)
        return np.asarray(vector / length) if length > 0 else vector

    def extend(self, until: int) -> None:
        """Add rows until there are as many as asked for."""
        for row in range(self.filled, until):
            self.rows[row] = self._next
            self.filled = row + 1
            image = self._product(self.rows[row])
            self.used += 1
            part, rest = self._orthogonalise(image)
            self.projection[row, : row + 1] = self.projection[: row + 1, row] = part
            self.coupling = float(np.linalg.norm(rest))
            norm = np.linalg.norm(self.projection[: row + 1, : row + 1], ord="fro")
            if self.coupling <= BREAKDOWN * np.finfo(self.rows.dtype).eps * norm:
                # The subspace is invariant, so a new vector is needed to leave it.
                self.coupling = 0.0
                self._next = self.fresh()
            else:
                self._next = rest / self.rows.dtype.type(self.coupling)

    def ritz(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return Ritz values (m,), descending; coordinates (m, m) as columns; residuals (m,)."""
        values, coordinates = np.linalg.eigh(self.projection[: self.filled, : self.filled])
        values, coordinates = values[::-1], coordinates[:, ::-1]
        return values, coordinates, self.coupling * np.abs(coordinates[-1])

    def restart(
        self, values: np.ndarray, coordinates: np.ndarray, following: np.ndarray | None = None
    ) -> None:
        """Keep only these Ritz vectors; continue from the next row, or from a given vector (p,)."""
        count = len(values)
        self.rows[:count] = coordinates.T.astype(self.rows.dtype) @ self.rows[: self.filled]
        self.projection[:] = 0.0
        self.projection[:count, :count] = np.diag(values)
        self.filled = count
        if following is not None:
            _, rest = self._orthogonalise(following / np.linalg.norm(following))
            self._next = (rest / np.linalg.norm(rest)).astype(self.rows.dtype)

    def _orthogonalise(self, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows[: self.filled]
        total = np.zeros(self.filled)
        for _ in range(PASSES):
            if self._avoid is not None:
                vector = vector - (self._avoid @ vector) @ self._avoid
            part = rows @ vector
            vector = vector - part @ rows
            total += part
        return total, vector


def largest_eigenpairs(
    product: Product,
    size: int,
    count: int,
    rng: np.random.Generator,
    *,
    dtype: np.dtype[np.floating],
    tolerance: float,
    limit: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute the algebraically largest eigenpairs of a symmetric matrix by thick-restart Lanczos.

    A Krylov space holds only one vector of each eigenspace. So pairs that have converged are
    checked from another random vector, orthogonal to them. Further copies of a repeated eigenvalue
    appear there, and the search goes on from them.

    Args:
        product: multiplies the matrix by a vector (p,).
        size: p.
        count: number of eigenpairs, at most p.
        rng: draws the starting vectors.
        dtype: type of the vectors.
        tolerance: largest residual |A v - lambda v|, relative to the largest |lambda| seen.
        limit: largest number of products.

    Returns:
        Values (count,), descending; vectors (p, count); bounds of the residuals (count,).

    Raises:
        GengapError: a residual is above the tolerance after that many products.
    """
    capacity = min(size, 2 * count + EXTRA_BASIS)
    basis = KrylovBasis(product, size, capacity, rng, dtype)
    basis.extend(min(count, capacity - 1))
    exact = True  # whether the basis is still a Krylov space, so that residuals are known
    probed = 0
    while True:
        basis.extend(min(capacity, basis.filled + STRIDE))
        values, coordinates, residuals = basis.ritz()
        allowed = tolerance * float(np.abs(values).max())
        if (residuals[:count] <= allowed).all():
            largest = values[:count].copy()
            vectors = basis.rows[: basis.filled].T @ coordinates[:, :count].astype(dtype)
            residuals, worst = residuals[:count].copy(), None
            if not exact:
                residuals, worst = _residuals(product, largest, vectors)
                probed += count
            if (residuals <= allowed).all():
                if basis.filled == size:
                    return largest, vectors, residuals
                larger, worst = _larger(product, size, vectors, rng, dtype)
                probed += min(STRIDE, size - count)
                if larger <= largest[-1] + allowed:
                    return largest, vectors, residuals
            basis.restart(largest, coordinates[:, :count], worst)
            exact = False
        elif basis.filled == capacity:
            retained = min(count + (capacity - count) // 2, capacity - 1)
            basis.restart(values[:retained], coordinates[:, :retained])
        if basis.used + probed >= limit:
            raise GengapError(_not_converged(residuals[:count], allowed, basis.used + probed))


def _residuals(
    product: Product, values: np.ndarray, vectors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the lengths (k,) of A v - lambda v, and the longest of these vectors (p,)."""
    lengths = np.zeros(len(values))
    worst = vectors[:, 0]
    for place, value in enumerate(values):
        left = product(vectors[:, place]) - value * vectors[:, place]
        lengths[place] = np.linalg.norm(left)
        if lengths[place] >= lengths.max():
            worst = left
    return lengths, worst.astype(vectors.dtype)


def _larger(
    product: Product,
    size: int,
    vectors: np.ndarray,
    rng: np.random.Generator,
    dtype: np.dtype[np.floating],
) -> tuple[float, np.ndarray]:
    """Return the largest Ritz value of a few steps orthogonal to (p, k), and its vector (p,)."""
    steps = min(STRIDE, size - vectors.shape[1])
    probe = KrylovBasis(product, size, steps, rng, dtype, avoid=np.ascontiguousarray(vectors.T))
    probe.extend(steps)
    values, coordinates, _ = probe.ritz()
    return float(values[0]), probe.rows.T @ coordinates[:, 0].astype(dtype)


def _not_converged(residuals: np.ndarray, allowed: float, used: int) -> str:
    return (
        f"{int((residuals <= allowed).sum())} of {len(residuals)} eigenpairs converged in {used} "
        f"products with the matrix: the largest residual is {residuals.max():.3g}, where "
        f"{allowed:.3g} is wanted; ask for fewer pairs, a larger tolerance or a higher limit."
    )
