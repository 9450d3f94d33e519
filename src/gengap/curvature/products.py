"""Products with a matrix, kept on disk, so that an interrupted computation goes on from there.

A computation that is repeated from its start asks for the same products in the same order. Those
that were kept cost no more than reading them. So the result has the same bytes as without an
interruption, whatever the method.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError

DIGEST = 32
"""Bytes of a SHA-256 digest. Before each product there are two: of its vectors and of itself."""


class ProductRecord:
    """The products with one matrix, in the order in which they are asked for.

    Attributes:
        path: the file. Each product takes as many bytes as its vectors, and 64 more.
    """

    def __init__(self, path: Path) -> None:
        """Read a record from its start, or begin one.

        Args:
            path: the file, which need not exist. One matrix alone belongs to it.
        """
        self.path = path
        self._place = 0

    def product(
        self,
        vectors: NDArray[np.floating],
        multiply: Callable[[NDArray[np.floating]], NDArray[np.floating]],
    ) -> NDArray[np.floating]:
        """Return the next product: the one that was kept, or else a new one, which is kept.

        Args:
            vectors: one vector (p,), or several (m, p).
            multiply: gives their products, of the same shape and type.

        Returns:
            The products. Where a kept one belongs to other vectors or is damaged, it and all later
            ones are computed anew.

        Raises:
            GengapError: the file cannot be written to.
        """
        asked = hashlib.sha256(np.ascontiguousarray(vectors).data).digest()
        result = self._read(asked, vectors)
        if result is None:
            result = np.ascontiguousarray(multiply(vectors), vectors.dtype)
            self._append(asked, result)
        self._place += 2 * DIGEST + result.nbytes
        return result

    def _read(self, asked: bytes, vectors: NDArray[np.floating]) -> NDArray[np.floating] | None:
        if not self.path.is_file():
            return None
        with self.path.open("rb") as file:
            file.seek(self._place)
            digests, content = file.read(2 * DIGEST), b""
            if digests[:DIGEST] == asked:
                content = file.read(vectors.nbytes)
        if not content or hashlib.sha256(content).digest() != digests[DIGEST:]:
            return None
        return np.frombuffer(content, vectors.dtype).reshape(vectors.shape).copy()

    def _append(self, asked: bytes, result: NDArray[np.floating]) -> None:
        """Write a product at this place, and drop what stood there and behind it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("r+b" if self.path.is_file() else "wb") as file:
                file.truncate(self._place)
                file.seek(self._place)
                file.write(asked + hashlib.sha256(result.data).digest())
                file.write(result.data)
        except OSError as error:
            raise GengapError(
                f"The products {self.path} cannot be written ({error.strerror}): make room on that "
                "disk."
            ) from None
