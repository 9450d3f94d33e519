"""Reading and writing the diagrams of several networks in one npz file."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import read_npz, writing
from gengap.topology.diagrams import Bars

METADATA = "metadata"
COMPUTE_AGAIN = "compute the diagrams again"
_BARS_KEY = re.compile(r"draw(\d+)_H(\d+)")

Diagrams = tuple[Sequence[Sequence[NDArray[np.floating]]], Mapping[str, Any]]


def write_diagrams(networks: Mapping[str, Diagrams], path: str | Path) -> None:
    """Write the diagrams of networks; the same diagrams give the same bytes.

    Args:
        networks: by id, the diagrams of B draws (per draw, per dimension, (bars, 2) births and
            deaths) and JSON-serialisable metadata of the sample that they were computed from.
        path: the npz file. Its keys are ``<id>/draw0_H0``, ``<id>/draw0_H1``,
            ``<id>/draw1_H0``, ... and ``<id>/metadata``.
    """
    arrays = {}
    for network, (draws, metadata) in networks.items():
        for draw, diagrams in enumerate(draws):
            for dimension, bars in enumerate(diagrams):
                key = f"{network}/draw{draw}_H{dimension}"
                arrays[key] = np.asarray(bars, dtype=np.float32)
        arrays[f"{network}/{METADATA}"] = np.array(json.dumps(metadata, sort_keys=True))
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def find_diagrams(paths: Iterable[str | Path]) -> dict[str, Path]:
    """Return the file that holds each network's diagrams, by the network's id.

    Args:
        paths: the npz files of a task's shards.

    Returns:
        A file for each network whose diagrams were computed.

    Raises:
        GengapError: a file is damaged.
    """
    files: dict[str, Path] = {}
    for path in map(Path, paths):
        try:
            with zipfile.ZipFile(path) as archive:
                names = archive.namelist()
        except (OSError, zipfile.BadZipFile) as error:
            raise GengapError(f"{path} is damaged: delete it and {COMPUTE_AGAIN}.") from error
        files |= {name.rpartition("/")[0]: path for name in names}
    return files


def read_diagrams(path: str | Path, network: str) -> tuple[list[list[Bars]], dict[str, Any]]:
    """Read the diagrams of one network that ``write_diagrams`` wrote.

    Args:
        path: the npz file.
        network: the network's id.

    Returns:
        Per draw, per dimension, (bars, 2) births and deaths; and the metadata.

    Raises:
        GengapError: the file is missing, damaged, lacks the network, or holds something else.
    """
    prefix = f"{network}/"
    named = read_npz(path, COMPUTE_AGAIN, prefix)
    if not named:
        raise GengapError(
            f"{path} holds no diagrams of network {network}: see the task's failed.csv."
        )
    arrays = {key.removeprefix(prefix): array for key, array in named.items()}
    return _diagrams_of(path, network, arrays)


def read_shard_of_diagrams(path: str | Path) -> dict[str, list[list[Bars]]]:
    """Read the diagrams of all networks of a file, which takes hardly longer than those of one.

    Args:
        path: the npz file.

    Returns:
        By network, per draw, per dimension, (bars, 2) births and deaths.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    arrays: dict[str, dict[str, NDArray[Any]]] = {}
    for key, array in read_npz(path, COMPUTE_AGAIN).items():
        network, _, name = key.rpartition("/")
        arrays.setdefault(network, {})[name] = array
    return {network: _diagrams_of(path, network, named)[0] for network, named in arrays.items()}


def _diagrams_of(
    path: str | Path, network: str, arrays: dict[str, NDArray[Any]]
) -> tuple[list[list[Bars]], dict[str, Any]]:
    """Order the arrays of one network by draw and dimension, and parse its metadata."""
    try:
        metadata = json.loads(str(arrays.pop(METADATA)))
    except (KeyError, ValueError) as error:
        raise GengapError(
            f"{path} holds no metadata of network {network}: delete it and {COMPUTE_AGAIN}."
        ) from error
    by_position: dict[tuple[int, int], Bars] = {}
    for key, bars in arrays.items():
        match = _BARS_KEY.fullmatch(key)
        if match is None or bars.ndim != 2 or bars.shape[1] != 2:
            raise GengapError(
                f"{path} holds {key!r} of shape {bars.shape}, which is no diagram: delete it and "
                f"{COMPUTE_AGAIN}."
            )
        by_position[int(match[1]), int(match[2])] = bars
    dimensions = 1 + max((dimension for _, dimension in by_position), default=-1)
    count = len(by_position) // dimensions if dimensions else 0
    if set(by_position) != {(draw, dim) for draw in range(count) for dim in range(dimensions)}:
        raise GengapError(f"{path} lacks some draws or dimensions: delete it and {COMPUTE_AGAIN}.")
    return [
        [by_position[draw, dim] for dim in range(dimensions)] for draw in range(count)
    ], metadata
