"""Diagrams of a network's draws in one npz file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import read_npz, writing
from gengap.topology.diagrams import Bars

METADATA_KEY = "metadata"
COMPUTE_AGAIN = "compute the diagrams again"
_BARS_KEY = re.compile(r"draw(\d+)_H(\d+)")


def write_diagrams(
    draws: Sequence[Sequence[NDArray[np.floating]]],
    path: str | Path,
    metadata: Mapping[str, Any],
) -> None:
    """Write the diagrams of B draws; the same diagrams give the same bytes.

    Args:
        draws: per draw, per dimension, (bars, 2) births and deaths.
        path: of the npz file; its keys are ``draw0_H0``, ``draw0_H1``, ``draw1_H0``, ...
        metadata: JSON-serialisable facts about the sample, kept under the key ``metadata``.
    """
    arrays = {
        f"draw{draw}_H{dimension}": np.asarray(bars, dtype=np.float32)
        for draw, diagrams in enumerate(draws)
        for dimension, bars in enumerate(diagrams)
    }
    arrays[METADATA_KEY] = np.array(json.dumps(metadata, sort_keys=True))
    with writing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_diagrams(path: str | Path) -> tuple[list[list[Bars]], dict[str, Any]]:
    """Read the diagrams that ``write_diagrams`` wrote.

    Args:
        path: of the npz file.

    Returns:
        Per draw, per dimension, (bars, 2) births and deaths; and the metadata.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    arrays = read_npz(path, COMPUTE_AGAIN)
    try:
        metadata = json.loads(str(arrays.pop(METADATA_KEY)))
    except (KeyError, ValueError) as error:
        raise GengapError(
            f"{path} lacks its metadata, so it holds no diagrams: delete it and {COMPUTE_AGAIN}."
        ) from error
    by_position: dict[tuple[int, int], Bars] = {}
    for key, bars in arrays.items():
        match = _BARS_KEY.fullmatch(key)
        if match is None or bars.ndim != 2 or bars.shape[1] != 2:
            raise GengapError(
                f"{path} holds {key!r} of shape {bars.shape}, which is no diagram: "
                f"delete it and {COMPUTE_AGAIN}."
            )
        by_position[int(match[1]), int(match[2])] = bars
    dimensions = 1 + max((dimension for _, dimension in by_position), default=-1)
    count = len(by_position) // dimensions if dimensions else 0
    if set(by_position) != {(draw, dim) for draw in range(count) for dim in range(dimensions)}:
        raise GengapError(f"{path} lacks some draws or dimensions: delete it and {COMPUTE_AGAIN}.")
    draws = [[by_position[draw, dim] for dim in range(dimensions)] for draw in range(count)]
    return draws, metadata
