"""Kernels, eigenfunctions and directions as files, from which later runs train without computing.

An experiment with ``save: [kernels, eigenfunctions]`` or ``[directions]`` writes them into the
folders of its runs. Another one whose setting ``reuse`` names such a folder, or one above it, reads
them. A file is looked for by a digest of the weights and the inputs that it belongs to, so that no
run takes those of another seed, network or dataset.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import Network, add_weights
from gengap.studies.context import Context
from gengap.tangent import (
    Directions,
    Eigenfunctions,
    eigenfunctions,
    empirical_ntk,
    read_directions,
    read_eigenfunctions,
    remove_kernel,
    write_directions,
    write_eigenfunctions,
)

DIGITS = 16
"""Hexadecimal digits of a digest that files are named by."""


def digest_of(network: Network, inputs: NDArray[np.float32], *words: object) -> str:
    """Return the digest of a network's weights, of inputs (n, *input_shape) and of some words."""
    digest = hashlib.sha256(repr((inputs.shape, words)).encode())
    add_weights(digest, network)
    digest.update(np.ascontiguousarray(inputs).tobytes())
    return digest.hexdigest()[:DIGITS]


def kernel_of(
    context: Context,
    network: Network,
    inputs: NDArray[np.float32],
    *,
    memory_budget: int,
    reuse: str | None,
) -> NDArray[np.floating]:
    """Return the tangent kernel (n, n) of inputs: read where a file has it, else computed.

    A run that keeps its state has the kernel in a file there, on which it goes on after an
    interruption, and maps it into memory. It is written besides where the run was asked for
    ``kernels``.
    """
    name = _kernel_name(network, inputs)
    path = _found(reuse, name)
    if path:
        kernel = np.load(path, mmap_mode="c", allow_pickle=False)
    else:
        file = context.resume_from and context.resume_from / name
        kernel = empirical_ntk(network, inputs, memory_budget=memory_budget, file=file)
    if context.files is not None and "kernels" in context.files.kinds:
        with writing(context.files.folder / name) as part, part.open("wb") as saved:
            np.save(saved, kernel, allow_pickle=False)
    return np.asarray(kernel)


@contextlib.contextmanager
def passing_kernel(
    context: Context,
    network: Network,
    inputs: NDArray[np.float32],
    columns: NDArray[np.float32] | None = None,
    *,
    memory_budget: int,
) -> Iterator[NDArray[np.floating]]:
    """Compute a tangent kernel that is needed inside a block alone.

    Where the run keeps its state, the kernel is in a file there until the block ends.

    Args:
        context: of the run.
        network: in eval mode.
        inputs: (n, *input_shape).
        columns: (m, *input_shape); without them, ``inputs``.
        memory_budget: bytes, as for :func:`gengap.tangent.empirical_ntk`.

    Yields:
        The kernel, (n, n) or (n, m).
    """
    if context.resume_from is None:
        yield empirical_ntk(network, inputs, columns, memory_budget=memory_budget)
        return
    file = context.resume_from / _kernel_name(network, inputs, columns)
    yield empirical_ntk(network, inputs, columns, memory_budget=memory_budget, file=file)
    remove_kernel(file)


def _kernel_name(
    network: Network, inputs: NDArray[np.float32], columns: NDArray[np.float32] | None = None
) -> str:
    words = () if columns is None else (hashlib.sha256(columns.tobytes()).hexdigest(),)
    return f"kernel-{digest_of(network, inputs, *words)}.npy"


def read_saved_eigenfunctions(
    network: Network, inputs: NDArray[np.float32], reuse: str | None, *words: object
) -> Eigenfunctions | None:
    """Return the eigenfunctions in the folder to reuse, None without one.

    Raises:
        GengapError: the folder has none of this network, these inputs and these words.
    """
    if reuse is None:
        return None
    path = _required(reuse, f"eigenfunctions-{digest_of(network, inputs, *words)}.safetensors")
    return read_eigenfunctions(path)[0]


def write_saved_eigenfunctions(
    context: Context,
    eigen: Eigenfunctions,
    network: Network,
    inputs: NDArray[np.float32],
    *words: object,
) -> None:
    """Write eigenfunctions with the weights, if the run was asked for ``eigenfunctions``."""
    if context.files is not None and "eigenfunctions" in context.files.kinds:
        name = f"eigenfunctions-{digest_of(network, inputs, *words)}.safetensors"
        write_eigenfunctions(eigen, context.files.folder / name, network=network)


def leading_eigenfunctions(
    context: Context,
    kernel: NDArray[np.floating],
    count: int,
    rng: np.random.Generator,
) -> Eigenfunctions:
    """Decompose a kernel; a run that keeps its state does it once, and goes on after a kill."""
    if context.resume_from is None:
        return eigenfunctions(kernel, count, rng=rng)
    path = context.resume_from / "eigenfunctions.safetensors"
    if not path.is_file():
        basis = context.resume_from / "basis"
        write_eigenfunctions(eigenfunctions(kernel, count, rng=rng, folder=basis), path)
        shutil.rmtree(basis, ignore_errors=True)
    return read_eigenfunctions(path)[0]


def read_saved_directions(network: Network, reuse: str | None, *words: object) -> Directions | None:
    """Return the directions in the folder to reuse, None without one.

    Raises:
        GengapError: the folder has none of this network and these words.
    """
    if reuse is None:
        return None
    name = f"directions-{digest_of(network, np.zeros(0, np.float32), *words)}.safetensors"
    return read_directions(_required(reuse, name))[0]


def write_saved_directions(
    context: Context, directions: Directions, network: Network, *words: object
) -> None:
    """Write directions with the weights, if the run was asked for ``directions``."""
    if context.files is not None and "directions" in context.files.kinds:
        name = f"directions-{digest_of(network, np.zeros(0, np.float32), *words)}.safetensors"
        write_directions(directions, context.files.folder / name, network=network)


def _found(folder: str | None, name: str) -> Path | None:
    return None if folder is None else next(iter(sorted(Path(folder).rglob(name))), None)


def _required(folder: str, name: str) -> Path:
    path = _found(folder, name)
    if path is None:
        raise GengapError(
            f"The setting 'reuse' names {folder}, which has no {name}, the file of this network, "
            "seed and dataset: run the experiment that saves it first, with equal settings, or "
            "leave 'reuse' out."
        )
    return path
