"""Leading eigenpairs of a symmetric operator by products with blocks of vectors.

A block Lanczos method with full reorthogonalisation and thick restarts (Zhou and Saad 2008, "Block
Krylov-Schur method for large symmetric eigenvalue problems"). The basis never has more vectors than
:func:`gengap.limits.lanczos_basis` says, and a product with a block passes a matrix of which memory
holds only a part as often as a product with one vector does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing
from gengap.limits import LANCZOS_BLOCK, lanczos_basis, lanczos_block
from gengap.threads import over_blocks, slices

Floats = NDArray[np.float64]
Multiply = Callable[[Floats], Floats]

RESIDUAL = 1e-11
"""Residual |K u - lambda u| at which an eigenpair has converged, as a fraction of the largest
eigenvalue. The rounding of a float32 kernel's entries moves K by 1e-9 to 1e-10 of it."""
NOTHING_NEW = 1e-13
"""Norm, over the largest product's, below which a direction of a new block is rounding alone."""
RESTARTS = 200
"""Most restarts; each adds about as many products as eigenpairs are sought."""
POINTS = 8192
"""Points whose sums over the basis one thread computes at a time."""
STATE = "state.json"


def leading_eigenpairs(
    multiply: Multiply,
    size: int,
    count: int,
    rng: np.random.Generator,
    folder: Path | None = None,
) -> tuple[Floats, Floats]:
    """Compute the leading eigenpairs of a symmetric operator.

    Args:
        multiply: products (n, b) with vectors (n, b).
        size: n.
        count: number of eigenpairs, from 1 to n.
        rng: draws the first block, and one direction wherever the products give no new one.
        folder: where the basis and the state are kept, so that an interrupted call goes on when it
            is repeated with equal arguments, with the same bytes at its end. None keeps them in
            memory. The caller removes it.

    Returns:
        Eigenvalues (count,) in falling order, and orthonormal columns (n, count).

    Raises:
        GengapError: the eigenpairs do not converge, or the folder cannot be written to.
    """
    basis = _Basis(size, count, int(rng.integers(2**63)), folder)
    while True:
        while basis.filled < basis.most:
            basis.expand(multiply)
        values, vectors = scipy.linalg.eigh(basis.projected[: basis.most, : basis.most])
        values, vectors = values[::-1], np.ascontiguousarray(vectors[:, ::-1])
        residuals = basis.residuals(vectors[:, :count])
        if (residuals <= RESIDUAL * np.abs(values).max()).all():
            return values[:count].copy(), basis.combined(vectors[:, :count])
        if basis.cycle == RESTARTS:
            raise GengapError(
                f"{count} eigenfunctions of {size} points did not converge after {RESTARTS} "
                f"restarts (residual {residuals.max():.1g}): compute fewer, or all with the solver "
                "'exact'."
            )
        basis.restart(values, vectors)


class _Basis:
    """A growing orthonormal basis V, the operator projected on it, and the block that comes next.

    With K the operator, K V = V H + Q B', where Q is the next block and B' is zero but for the
    columns of the last block. H is V' K V.

    Attributes:
        most: the number of vectors at which the eigenpairs are taken.
        filled: the number of vectors so far, without the next block.
        cycle: the number of restarts so far.
        projected: H, (most, most).
    """

    def __init__(self, size: int, count: int, seed: int, folder: Path | None) -> None:
        self.most, self._size = lanczos_basis(size, count), size
        self._block = min(lanczos_block(count), self.most)
        self._seed, self._folder = seed, folder
        # A restart begins from more vectors than are sought, and adds whole blocks.
        added = -(-(self.most - count) // (2 * self._block)) * self._block
        self._start = self.most - added
        self.cycle = self.filled = 0
        state = self._read_state()
        if state:
            self.cycle, self.filled = state["cycle"], state["filled"]
        self._open(new=state is None)
        if state is None:
            first = self._rng().standard_normal((self._size, self._width))
            self.vectors[: self._width] = np.linalg.qr(first)[0].T
            self._write_state()

    @property
    def _width(self) -> int:
        """Vectors of the next block, at the end of the whole space fewer than of others."""
        return min(self._block, self._size - self.filled)

    def expand(self, multiply: Multiply) -> None:
        """Take the next block into the basis, and compute the one after it."""
        done, end = self.filled, self.filled + self._width
        product = np.ascontiguousarray(multiply(self.vectors[done:end].T).T)
        scale = float(np.linalg.norm(product, axis=1).max())
        sums = self._projections(product, end)
        columns = sums.T
        middle = columns[done:]
        columns[done:] = (middle + middle.T) / 2
        self.projected[:end, done:end] = columns
        self.projected[done:end, :end] = columns.T
        self._subtract(product, sums)
        self.filled = end
        new, coupling = self._orthonormal(product, end, scale)
        self.vectors[end : end + len(new)] = new
        self.coupling[: end - done] = 0.0
        self.coupling[: end - done, : len(new)] = coupling
        self._write_state()

    def residuals(self, vectors: Floats) -> Floats:
        """Return the norms |K u - theta u| of Ritz vectors u = V s, for columns s of H."""
        last = self._last
        return np.asarray(np.linalg.norm(self.coupling[:last].T @ vectors[-last:], axis=0))

    def combined(self, vectors: Floats) -> Floats:
        """Return V s for columns s, (n, columns)."""
        result = np.empty((self._size, vectors.shape[1]))

        def combine(points: slice) -> None:
            result[points] = self.vectors[: len(vectors), points].T @ vectors

        over_blocks(combine, slices(self._size, POINTS))
        return result

    def restart(self, values: Floats, vectors: Floats) -> None:
        """Begin anew from the leading Ritz vectors and the next block."""
        last, width, start = self._last, self._block, self._start
        old, following = self.vectors, self.vectors[self.most : self.most + width]
        coupling = self.coupling[:last, :width].T @ vectors[-last:, :start]
        self.cycle += 1
        self.filled = start
        before = self._paths(self.cycle - 1)
        self._open(new=True)

        def combine(points: slice) -> None:
            self.vectors[:start, points] = vectors[:, :start].T @ old[: self.most, points]

        over_blocks(combine, slices(self._size, POINTS))
        self.vectors[start : start + self._width] = following[: self._width]
        self.projected[:start, :start] = np.diag(values[:start])
        # What the next products give too, up to rounding.
        self.projected[start : start + self._width, :start] = coupling[: self._width]
        self._write_state()
        for path in before:
            path.unlink(missing_ok=True)

    @property
    def _last(self) -> int:
        """Vectors of the block that was taken in last."""
        since = self.filled - (self._start if self.cycle else 0)
        return since % self._block or self._block

    def _projections(self, block: Floats, count: int) -> Floats:
        """The products (b, count) of a block's vectors with the first vectors of the basis."""
        parts = over_blocks(lambda rows: block @ self.vectors[rows].T, slices(count, LANCZOS_BLOCK))
        return np.concatenate(parts, axis=1)

    def _subtract(self, block: Floats, sums: Floats) -> None:
        """Take the parts along the first vectors of the basis from a block, in place."""

        def subtract(points: slice) -> None:
            block[:, points] -= sums @ self.vectors[: sums.shape[1], points]

        over_blocks(subtract, slices(self._size, POINTS))

    def _orthonormal(self, block: Floats, count: int, scale: float) -> tuple[Floats, Floats]:
        """Orthonormal rows that span a block beside the basis, and the block in terms of them.

        Where the block has no direction of its own, a random one takes its place, along which the
        block has nothing.

        Returns:
            (w, n) and (b, w).
        """
        width = min(self._block, self._size - count)
        self._subtract(block, self._projections(block, count))
        if width == 0:
            return block[:0], np.zeros((len(block), 0))
        left, singular, right = scipy.linalg.svd(block, full_matrices=False)
        new = right[:width]
        coupling = (left * singular)[:, :width]
        if len(new) < width:
            new = np.concatenate([new, np.zeros((width - len(new), self._size))])
            coupling = np.pad(coupling, ((0, 0), (0, width - coupling.shape[1])))
        empty = np.append(singular, np.zeros(width))[:width] <= NOTHING_NEW * scale
        if empty.any():
            rng = self._rng()
            new[empty] = rng.standard_normal((int(empty.sum()), self._size))
            coupling[:, empty] = 0.0
        for _ in range(2):
            self._subtract(new, self._projections(new, count))
            new = np.ascontiguousarray(_signed_qr(new))
        return new, coupling

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng([self._seed, self.cycle, self.filled])

    def _paths(self, cycle: int) -> list[Path]:
        """Files of a cycle: the vectors, H, and the coupling of its last block."""
        if self._folder is None:
            return []
        return [self._folder / f"{name}-{cycle}.npy" for name in ("basis", "projected", "coupling")]

    def _open(self, *, new: bool) -> None:
        """Open the arrays of this cycle, in files or in memory."""
        rows = min(self.most + self._block, self._size)
        shapes = (rows, self._size), (self.most, self.most), (self._block, self._block)
        if self._folder is None:
            arrays: list[Floats] = [np.zeros(shape) for shape in shapes]
        else:
            paths = self._paths(self.cycle)
            arrays = [
                _opened(path, shape, new=new) for path, shape in zip(paths, shapes, strict=True)
            ]
        self.vectors, self.projected, self.coupling = arrays

    def _identity(self) -> dict[str, Any]:
        return {"size": self._size, "most": self.most, "block": self._block, "seed": self._seed}

    def _read_state(self) -> dict[str, Any] | None:
        """The state of an equal call that was interrupted, None without one."""
        if self._folder is None:
            return None
        try:
            state: dict[str, Any] = json.loads((self._folder / STATE).read_text(encoding="utf-8"))
            self.cycle = state["cycle"]
            whole = all(path.is_file() for path in self._paths(self.cycle))
        except (OSError, ValueError, KeyError):
            whole = False
        self.cycle = 0
        return state if whole and state["identity"] == self._identity() else None

    def _write_state(self) -> None:
        """Say how far the arrays count, once they are on the disk."""
        if self._folder is None:
            return
        for array in (self.vectors, self.projected, self.coupling):
            assert isinstance(array, np.memmap)
            array.flush()
        state = {"identity": self._identity(), "cycle": self.cycle, "filled": self.filled}
        with writing(self._folder / STATE) as part:
            part.write_text(json.dumps(state), encoding="utf-8")


def _signed_qr(rows: Floats) -> Floats:
    """Orthonormal rows of the span of nearly orthonormal ones, each close to its own."""
    columns, triangle = np.linalg.qr(rows.T)
    result: Floats = (columns * np.sign(np.diag(triangle))).T
    return result


def _opened(path: Path, shape: tuple[int, int], *, new: bool) -> Floats:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if new:
            return open_memmap(path, mode="w+", dtype=np.float64, shape=shape)
        return open_memmap(path, mode="r+")
    except OSError as error:
        raise GengapError(
            f"The Lanczos basis {path} of {shape[0]} vectors of {shape[1]} numbers cannot be "
            f"written ({error.strerror}): make room on that disk."
        ) from None
