"""Diagrams of a network's draws in one npz file."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing
from gengap.topology.diagrams import Bars

METADATA_KEY = "metadata"
_BARS_KEY = re.compile(r"draw(\d+)_H(\d+)")


def write_diagrams(
    draws: Sequence[Sequence[NDArray[np.floating]]],
    path: str | Path,
    metadata: Mapping[str, Any],
) -> None:
    """Write the diagrams of B draws; the same diagrams give the same bytes.

    Args:
        draws: per draw, per dimension, a (bars, 2) array.
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
    """The draws and the metadata that ``write_diagrams`` wrote.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        metadata = json.loads(str(arrays.pop(METADATA_KEY)))
    except FileNotFoundError:
        raise GengapError(f"{path} does not exist: compute the diagrams first.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise GengapError(
            f"{path} is not a readable file of diagrams: delete it and compute them again."
        ) from error
    found = {}
    for key, bars in arrays.items():
        match = _BARS_KEY.fullmatch(key)
        if match is None or bars.ndim != 2 or bars.shape[1] != 2:
            raise GengapError(
                f"{path} holds {key!r} of shape {bars.shape}, which is no diagram: "
                "delete it and compute the diagrams again."
            )
        found[int(match[1]), int(match[2])] = bars
    dimensions = 1 + max((dimension for _, dimension in found), default=-1)
    count = len(found) // dimensions if dimensions else 0
    if set(found) != {(draw, dim) for draw in range(count) for dim in range(dimensions)}:
        raise GengapError(
            f"{path} lacks some draws or dimensions: delete it and compute the diagrams again."
        )
    return [[found[draw, dim] for dim in range(dimensions)] for draw in range(count)], metadata
