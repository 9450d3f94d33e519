"""What one run of an experiment found, in one npz file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing

_VALUES = "values"
_NAMES = "values_names"


@dataclass(frozen=True)
class Outcome:
    """Numbers by name, and arrays by name (curves, spectra, grids of points, weights)."""

    values: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run that is done: its place among the seeds, its keywords, and what it found.

    Runs of one experiment with the same ``seed`` and other keywords belong together: whatever they
    draw from the context's seed is equal.
    """

    seed: int
    settings: Mapping[str, Any]
    outcome: Outcome


def write_outcome(path: str | Path, outcome: Outcome) -> None:
    """Write an outcome; equal outcomes give equal bytes.

    Raises:
        GengapError: an array of Python objects, a name that is taken, or an unwritable folder.
    """
    arrays = {name: np.asarray(array) for name, array in outcome.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject or name in (_VALUES, _NAMES):
            raise GengapError(
                f"The array '{name}' of an outcome cannot be written: give it numbers or texts, "
                f"and another name than {_VALUES} and {_NAMES}."
            )
    arrays[_NAMES] = np.array(list(outcome.values), dtype=np.str_)
    arrays[_VALUES] = np.array(list(outcome.values.values()), dtype=np.float64)
    with writing(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_outcome(path: str | Path) -> Outcome:
    """The outcome that :func:`write_outcome` wrote.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        names, values = arrays.pop(_NAMES), arrays.pop(_VALUES)
    except FileNotFoundError:
        raise GengapError(f"{path} does not exist: run the experiment first.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise GengapError(
            f"{path} is not a readable outcome: delete it and run the experiment again."
        ) from error
    numbers = [float(value) for value in values]
    return Outcome(dict(zip(names.tolist(), numbers, strict=True)), arrays)


def read_runs(
    paths: Sequence[str | Path], entries: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[Run]:
    """The runs of one experiment.

    Args:
        paths: of the outcomes.
        entries: of each run, its place among the seeds and its keywords.
    """
    return [
        Run(seed, settings, read_outcome(path))
        for path, (seed, settings) in zip(paths, entries, strict=True)
    ]
