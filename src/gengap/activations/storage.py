"""Activations of sampled neurons, and the file that holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from gengap.errors import GengapError
from gengap.files import mapped_arrays, writing

# All metadata under one key: safetensors keeps no order among several, so bytes would differ.
METADATA_KEY = "gengap"


@dataclass(frozen=True)
class Sample:
    """Activations of the neurons in B draws from a network's population of neurons.

    Neurons are numbered from 0 over the observed layers, in the order of the forward pass; within
    a layer in the order of the places, then the channels: row, column, channel (Keras's order).

    Attributes:
        activations: (u, m) float32, one row per neuron in any draw, one column per input.
        neurons: (u,) int64, ascending: the neuron of each row.
        draws: (B, k) int64: the rows of each draw, ascending.
        population: number of neurons of the observed layers.
        requested: neurons asked for per draw; k is smaller if the population is.
        layers: name and number of neurons of each observed layer.
    """

    activations: NDArray[np.float32]
    neurons: NDArray[np.int64]
    draws: NDArray[np.int64]
    population: int
    requested: int
    layers: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        rows = len(self.neurons)
        if self.activations.ndim != 2 or len(self.activations) != rows or self.draws.ndim != 2:
            raise GengapError(
                f"Activations {self.activations.shape}, neurons {self.neurons.shape} and draws "
                f"{self.draws.shape} do not fit together: give (u, m), (u,) and (B, k)."
            )
        if self.draws.size and not (self.draws.min() >= 0 and self.draws.max() < rows):
            raise GengapError(f"The draws name rows outside 0 to {rows - 1}: sample again.")
        if sum(size for _, size in self.layers) != self.population:
            raise GengapError("The layers' sizes do not add up to the population: sample again.")

    def metadata(self) -> dict[str, Any]:
        """Return what the sample was taken from, as JSON-serialisable values."""
        return {
            "population": self.population,
            "requested": self.requested,
            "used": self.draws.shape[1],
            "inputs": self.activations.shape[1],
            "layers": [list(layer) for layer in self.layers],
        }


def write_sample(sample: Sample, path: str | Path) -> None:
    """Write a sample to a safetensors file; the same sample gives the same bytes."""
    tensors: dict[str, NDArray[Any]] = {
        "activations": np.ascontiguousarray(sample.activations),
        "neurons": np.ascontiguousarray(sample.neurons),
        "draws": np.ascontiguousarray(sample.draws),
    }
    with writing(path) as temporary:
        save_file(tensors, temporary, {METADATA_KEY: json.dumps(sample.metadata(), sort_keys=True)})


def read_sample(path: str | Path) -> Sample:
    """Read what :func:`write_sample` wrote; activations are read when they are first used.

    Args:
        path: the file.

    Returns:
        The sample.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    try:
        arrays, described = mapped_arrays(path)
        metadata = json.loads(described[METADATA_KEY])
        return Sample(
            activations=arrays["activations"],
            neurons=arrays["neurons"],
            draws=arrays["draws"],
            population=metadata["population"],
            requested=metadata["requested"],
            layers=tuple((name, size) for name, size in metadata["layers"]),
        )
    except FileNotFoundError:
        raise GengapError(f"{path} does not exist: sample the activations first.") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise GengapError(
            f"{path} is not a readable sample of activations: delete it and sample again."
        ) from error
