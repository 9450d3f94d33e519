"""What one run of an experiment found: a typed result, and the npz file that holds it."""

from __future__ import annotations

import dataclasses
import types
import typing
import zipfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Generic, Self, TypeVar, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from gengap.errors import GengapError
from gengap.files import writing

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Integers = NDArray[np.int64]

_VALUES = "values"
_NAMES = "values_names"
_TAKEN = (_VALUES, _NAMES, "file")
"""Names that no array has; the last one is that of a parameter of ``np.savez``."""

SettingsT_co = TypeVar("SettingsT_co", covariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)
GroupT = TypeVar("GroupT", bound=Hashable)


@dataclass(frozen=True)
class Outcome:
    """Numbers by name, and arrays by name (curves, spectra, grids of points, weights)."""

    values: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class ExperimentResult:
    """Base of what an experiment returns: a frozen dataclass that an outcome can hold.

    A field is a number (``float``, ``int``, ``bool``), an array, a dataclass, a mapping from names
    to any of these, or one of these ``| None``. In the outcome a number or an array has the name of
    its field; those inside a dataclass or a mapping have the names on the way to them, joined by
    dots, as in ``weights.0.bias`` or ``solutions.normal.trace``. None is left out.

    Names of groups, which are keys of a mapping to dataclasses, have no dot in them.

    Example:
        >>> @dataclass(frozen=True)
        ... class Result(ExperimentResult):
        ...     loss: float
        ...     accuracy: Mapping[str, float]
        >>> outcome = Result(0.5, {"train": 1.0, "test": 0.75}).to_outcome()
        >>> outcome.values
        {'loss': 0.5, 'accuracy.train': 1.0, 'accuracy.test': 0.75}
        >>> Result.from_outcome(outcome).accuracy["test"]
        0.75
    """

    def to_outcome(self) -> Outcome:
        """Return the numbers and the arrays by name, in the order of the fields."""
        values: dict[str, float] = {}
        arrays: dict[str, NDArray[Any]] = {}
        _store(self, "", values, arrays)
        return Outcome(values, arrays)

    @classmethod
    def from_outcome(cls, outcome: Outcome) -> Self:
        """Return the result whose outcome this is, with equal numbers and arrays.

        Raises:
            GengapError: a field is missing in the outcome.
        """
        result: Self = _restored(cls, "", outcome)
        return result


@dataclass(frozen=True)
class Run(Generic[SettingsT_co, ResultT_co]):
    """A finished run: its place among the seeds, its settings and its result.

    Runs of one experiment with the same ``seed`` and other settings belong together: whatever they
    draw from the context's seed is equal.
    """

    seed: int
    settings: SettingsT_co
    result: ResultT_co


AnyRun = Run[Any, Any]
"""A run of whichever experiment."""

RunT = TypeVar("RunT", bound=AnyRun)


def write_outcome(path: str | Path, outcome: Outcome) -> None:
    """Write an outcome as an npz file; equal outcomes give equal bytes.

    Raises:
        GengapError: an array of Python objects, a name that is taken, or an unwritable folder.
    """
    arrays = {name: np.asarray(array) for name, array in outcome.arrays.items()}
    for name, array in arrays.items():
        if array.dtype.hasobject or name in _TAKEN:
            raise GengapError(
                f"The array '{name}' of an outcome cannot be written: give it numbers or texts, "
                f"and another name than {', '.join(_TAKEN)}."
            )
    arrays[_NAMES] = np.array(list(outcome.values), dtype=np.str_)
    arrays[_VALUES] = np.array(list(outcome.values.values()), dtype=np.float64)
    with writing(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_outcome(path: str | Path) -> Outcome:
    """Read the outcome that :func:`write_outcome` wrote.

    Returns:
        Numbers and arrays by name, in the order in which they were written.

    Raises:
        GengapError: the file is missing, damaged, or holds something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        names, values = arrays.pop(_NAMES).tolist(), arrays.pop(_VALUES).tolist()
        numbers = dict(zip(names, map(float, values), strict=True))
    except FileNotFoundError:
        raise GengapError(f"{path} does not exist: run the experiment first.") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise GengapError(
            f"{path} is not a readable outcome: delete it and run the experiment again."
        ) from error
    return Outcome(numbers, arrays)


def group_runs(runs: Sequence[RunT], key: Callable[[RunT], GroupT]) -> dict[GroupT, list[RunT]]:
    """Return the runs by a property of them, groups in the order of their first runs."""
    groups: dict[GroupT, list[RunT]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def setting(settings: object, name: str) -> Any:
    """Return a setting by its dotted name, such as ``network.width``; None where a part is None."""
    for part in name.split("."):
        settings = getattr(settings, part, None)
    return settings


def varying_settings(runs: Sequence[AnyRun]) -> list[str]:
    """Return the dotted names of the settings in which the runs differ, in their order.

    A mapping, such as the keywords of a dataset, counts as one setting.
    """
    names = _leaves(runs[0].settings)
    return [name for name in names if len({repr(setting(run.settings, name)) for run in runs}) > 1]


def _leaves(settings: Any) -> list[str]:
    names = []
    for entry in dataclasses.fields(settings):
        value = getattr(settings, entry.name)
        nested = _leaves(value) if dataclasses.is_dataclass(value) else []
        names += [f"{entry.name}.{name}" for name in nested] or [entry.name]
    return names


def _store(
    value: Any, name: str, values: dict[str, float], arrays: dict[str, NDArray[Any]]
) -> None:
    """Put a field's value into the outcome; ``name`` is empty for the result itself."""
    if value is None:
        return
    if isinstance(value, np.ndarray):
        arrays[name] = value
    elif isinstance(value, bool | int | float | np.number | np.bool_):
        values[name] = float(value)
    elif dataclasses.is_dataclass(value):
        for entry in dataclasses.fields(value):
            _store(getattr(value, entry.name), _joined(name, entry.name), values, arrays)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if "." in key and (isinstance(item, Mapping) or dataclasses.is_dataclass(item)):
                raise ValueError(f"The group {key!r} of {name} has a dot in its name.")
            _store(item, _joined(name, key), values, arrays)
    else:
        raise TypeError(f"{name} is of type {type(value).__name__}, which no outcome can hold.")


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


@cache
def _types_of(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields, by name and in order."""
    hints = typing.get_type_hints(cls)
    return {entry.name: hints[entry.name] for entry in dataclasses.fields(cls)}


def _restored(kind: Any, name: str, outcome: Outcome) -> Any:
    """The value of a type that an outcome holds under a name."""
    if dataclasses.is_dataclass(kind):
        cls: Any = kind
        return cls(
            **{
                part: _restored(part_kind, _joined(name, part), outcome)
                for part, part_kind in _types_of(cls).items()
            }
        )
    if get_origin(kind) in (typing.Union, types.UnionType):
        (inner,) = [of for of in get_args(kind) if of is not types.NoneType]
        return _restored(inner, name, outcome) if _is_there(name, outcome) else None
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        inner = get_args(kind)[1]
        keys = _keys_below(name, outcome, whole=not _has_parts(inner))
        return {key: _restored(inner, f"{name}.{key}", outcome) for key in keys}
    stored = outcome.arrays if get_origin(kind) is np.ndarray else outcome.values
    if name not in stored:
        raise GengapError(
            f"The outcome has no '{name}', so another version of the experiment wrote it: delete "
            "it and run the experiment again."
        )
    return stored[name] if stored is outcome.arrays else kind(stored[name])


def _has_parts(kind: Any) -> bool:
    """Whether values of this type lie under several names."""
    origin = get_origin(kind)
    return dataclasses.is_dataclass(kind) or (
        isinstance(origin, type) and issubclass(origin, Mapping)
    )


def _is_there(name: str, outcome: Outcome) -> bool:
    names = [*outcome.values, *outcome.arrays]
    return any(stored == name or stored.startswith(f"{name}.") for stored in names)


def _keys_below(name: str, outcome: Outcome, *, whole: bool) -> list[str]:
    """The keys of a mapping: all that follows its name, or only what comes before a dot."""
    prefix = f"{name}."
    rests = [
        stored.removeprefix(prefix)
        for stored in (*outcome.values, *outcome.arrays)
        if stored.startswith(prefix)
    ]
    return list(dict.fromkeys(rest if whole else rest.partition(".")[0] for rest in rests))
