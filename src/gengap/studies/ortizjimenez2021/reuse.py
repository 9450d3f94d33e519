"""Kernels, eigenfunctions and directions as files, from which later runs train without computing.

An experiment with ``save: [kernels, eigenfunctions]`` or ``[directions]`` writes them into the
folders of its runs. Another one whose setting ``reuse`` names such a folder, or one above it, reads
them. A file is looked for by a digest of the weights and the inputs that it belongs to, so that no
run takes those of another seed, network or dataset.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing
from gengap.networks import Network, weights_of
from gengap.studies.context import Context
from gengap.tangent import (
    Directions,
    Eigenfunctions,
    empirical_ntk,
    read_directions,
    read_eigenfunctions,
    write_directions,
    write_eigenfunctions,
)

DIGITS = 16
"""Hexadecimal digits of a digest that files are named by."""


def digest_of(network: Network, inputs: NDArray[np.float32], *words: object) -> str:
    """Return the digest of a network's weights, of inputs (n, *input_shape) and of some words."""
    digest = hashlib.sha256(repr((inputs.shape, words)).encode())
    for name, value in weights_of(network).items():
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value.numpy()).tobytes())
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

    It is written where the run was asked for ``kernels``.
    """
    name = f"kernel-{digest_of(network, inputs)}.npy"
    path = _found(reuse, name)
    kernel = (
        np.load(path, allow_pickle=False)
        if path
        else empirical_ntk(network, inputs, memory_budget=memory_budget)
    )
    if context.files is not None and "kernels" in context.files.kinds:
        with writing(context.files.folder / name) as part, part.open("wb") as file:
            np.save(file, kernel, allow_pickle=False)
    return np.asarray(kernel)


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
