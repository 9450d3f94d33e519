"""A kernel in a file, filled block by block, that an interrupted job goes on with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor

from gengap.errors import GengapError
from gengap.files import writing

BLOCKS = ".blocks.npy"
"""Suffix of the list of a kernel's finished blocks."""


def remove_kernel(path: Path) -> None:
    """Remove the file of a kernel and the list of its blocks; neither need be there."""
    path.with_suffix(BLOCKS).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


class KernelFile:
    """A kernel as a memory-mapped ``.npy``, with the list of its finished blocks beside it.

    A block is listed once it is in the file. Whatever else is in the file counts as nothing, so
    that a job that was killed loses the blocks that it was computing alone.

    Attributes:
        done: (row tiles, column tiles), whether each block is finished.
    """

    done: NDArray[np.bool_]

    def __init__(self, path: Path, shape: tuple[int, int], kind: str, tile: int) -> None:
        """Open the file, or begin it where there is none of this shape, type and tile.

        Args:
            path: of the kernel.
            shape: of the kernel, (n1, n2).
            kind: type of its entries, as NumPy calls it.
            tile: number of rows and of columns of a block.

        Raises:
            GengapError: the file cannot be written.
        """
        self._path, self._list = path, path.with_suffix(BLOCKS)
        blocks = (-(-shape[0] // tile), -(-shape[1] // tile))
        done = self._listed(shape, kind, blocks)
        if done is None:
            done = np.zeros(blocks, dtype=bool)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._list.unlink(missing_ok=True)
                open_memmap(path, mode="w+", dtype=kind, shape=shape).flush()
            except OSError as error:
                raise GengapError(
                    f"The kernel {path} of {shape[0]} x {shape[1]} inputs cannot be written "
                    f"({error.strerror}): make room on that disk."
                ) from None
        self.done = done

    def writable(self) -> Tensor:
        """Return the kernel as a tensor on the CPU; what is written into it reaches the file."""
        self._mapped = open_memmap(self._path, mode="r+")
        return torch.from_numpy(self._mapped)

    def finish(self, rows: Sequence[int], columns: Sequence[int], *, mirrored: bool) -> None:
        """Write the blocks of some tiles to the disk, then list them.

        Args:
            rows: numbers of tiles of rows.
            columns: numbers of tiles of columns; of blocks below the diagonal of a symmetric kernel
                only those are listed whose mirror image is.
            mirrored: whether their mirror images are in the file too.
        """
        self._mapped.flush()
        for row in rows:
            for column in columns:
                if not mirrored or column >= row:
                    self.done[row, column] = True
                    if mirrored:
                        self.done[column, row] = True
        with writing(self._list) as part:
            np.save(part, self.done, allow_pickle=False)

    def read(self) -> NDArray[np.floating]:
        """Return the kernel as it is in the file; changes of the array stay in memory."""
        kernel: NDArray[np.floating] = np.load(self._path, mmap_mode="c", allow_pickle=False)
        return kernel

    def _listed(
        self, shape: tuple[int, int], kind: str, blocks: tuple[int, int]
    ) -> NDArray[np.bool_] | None:
        """The list of an earlier call for such a kernel, None if there is none that can be read."""
        try:
            kernel = np.load(self._path, mmap_mode="r", allow_pickle=False)
            done: NDArray[np.bool_] = np.load(self._list, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = kernel.shape == shape and kernel.dtype == kind and done.shape == blocks
        return done if fits and done.dtype == bool else None
