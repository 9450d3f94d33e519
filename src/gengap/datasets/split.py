"""Splits: the labelled arrays that every package takes, and the file that holds them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gengap.errors import GengapError
from gengap.files import mapped_arrays, writing
from gengap.limits import PART_BYTES

SPLIT = "gengap.split"
"""The metadata of a file: one key, since safetensors keeps no order among several."""
NO_SPLIT = {"samples": 0}
"""The metadata of a file that stands for data that are not there, such as test data."""
KINDS = {2: "vector", 3: "series", 4: "image", 5: "volume"}
"""What a float32 input is, by the number of axes of an array of inputs."""

IMAGE_AXES = 4
"""Axes of an array of images: samples, height, width and channels."""

TOKEN_AXES = 2
"""Axes of an array of tokens: samples and places."""


@dataclass(frozen=True, eq=False)
class Split:
    """Samples with their targets, checked when made.

    Attributes:
        inputs: float32, finite: images (n, H, W, C), series (n, length, channels), volumes
            (n, D, H, W, C) or vectors (n, d), channels last; or int64 tokens (n, length), at least
            0. n >= 1.
        labels: the targets (n,): classes, int64 in 0..classes-1; or, where ``classes`` is 0,
            numbers, float32 and finite.
        classes: number of classes; 0 where the targets are numbers (regression).
        class_names: a name for each class, or none.
        groups: int64 (n,): samples of one group (the rows of one patient, say) belong together and
            stay on one side when data are divided; None where each sample stands alone.

    Raises:
        GengapError: an array has another type or shape, a value is not finite, or a label is out
            of range.
    """

    inputs: NDArray[Any]
    labels: NDArray[Any]
    classes: int
    _: KW_ONLY
    class_names: tuple[str, ...] = ()
    groups: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        fault = _fault(self)
        if fault:
            raise GengapError(f"Not a split of a dataset: {fault}.")

    @property
    def kind(self) -> str:
        """What an input is: ``image``, ``series``, ``volume``, ``vector`` or ``tokens``."""
        return input_kind(self.inputs)

    @property
    def has_numbers(self) -> bool:
        """Whether the targets are numbers (regression), not classes."""
        return self.classes == 0

    def take(self, rows: NDArray[np.intp] | slice) -> Split:
        """Return the samples of these rows, in their order, as a split of the same classes."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, inputs=self.inputs[rows], labels=self.labels[rows], groups=groups)

    def with_labels(self, labels: NDArray[Any]) -> Split:
        """Return the same inputs with other targets (n,) of the same kind."""
        return replace(self, labels=labels)

    def sample(self, count: int, rng: np.random.Generator) -> Split:
        """Draw samples without replacement, and return them in the order of the split.

        Args:
            count: how many; all of them if there are fewer.
            rng: draws one permutation of the samples, whatever ``count`` is; nothing where all
                samples are taken.

        Returns:
            A split of the same classes.
        """
        if count >= len(self.labels):
            return self
        return self.take(np.sort(rng.permutation(len(self.labels))[:count]))


def input_kind(inputs: np.ndarray) -> str:
    """Return what an input of an array (n, ...) is, by its number of axes and its type.

    Args:
        inputs: float32 or int64.

    Returns:
        ``image``, ``series``, ``volume``, ``vector`` or ``tokens``; empty for any other array.
    """
    if inputs.dtype == np.int64:
        return "tokens" if inputs.ndim == TOKEN_AXES else ""
    return KINDS.get(inputs.ndim, "") if inputs.dtype == np.float32 else ""


def _fault(split: Split) -> str | None:
    """What is wrong with the arrays of a split, with its remedy, or None."""
    inputs, labels = split.inputs, split.labels
    if inputs.dtype not in (np.float32, np.int64):
        return f"inputs are {inputs.dtype}, so convert them to float32 (tokens to int64)"
    if not split.kind:
        return (
            f"inputs have shape {inputs.shape}, so reshape them to (n, H, W, C), (n, length, "
            "channels) or (n, d); tokens are int64 (n, length)"
        )
    if inputs.size == 0:
        return f"inputs of shape {inputs.shape} are empty, so give at least one sample"
    if labels.shape != inputs.shape[:1]:
        return f"labels have shape {labels.shape} for {len(inputs)} inputs, so give one label each"
    if split.groups is not None and split.groups.shape != labels.shape:
        return f"groups have shape {split.groups.shape}, so give one group to each input"
    if not _is_finite(inputs):
        return "inputs hold NaN or infinity, so remove or repair those samples"
    if split.kind == "tokens" and inputs.min() < 0:
        return f"tokens reach down to {inputs.min()}, so number them from 0"
    return _fault_of_numbers(labels) if split.has_numbers else _fault_of_classes(split)


def _is_finite(inputs: np.ndarray) -> bool:
    """Whether all numbers are finite: a part at a time, since a mask of all is large."""
    rows = max(1, PART_BYTES // inputs[:1].nbytes)
    return all(np.isfinite(inputs[i : i + rows]).all() for i in range(0, len(inputs), rows))


def _fault_of_numbers(targets: np.ndarray) -> str | None:
    if targets.dtype != np.float32:
        return f"targets are {targets.dtype} where classes is 0, so convert them to float32"
    if not np.isfinite(targets).all():
        return "targets hold NaN or infinity, so remove or repair those samples"
    return None


def _fault_of_classes(split: Split) -> str | None:
    labels, classes = split.labels, split.classes
    if labels.dtype != np.int64:
        return f"labels are {labels.dtype}, so convert them to int64"
    if labels.min() < 0 or labels.max() >= classes:
        return (
            f"labels span {labels.min()}..{labels.max()} but there are {classes} classes, "
            f"so relabel them to 0..{classes - 1}"
        )
    if split.class_names and len(split.class_names) != classes:
        return f"there are {len(split.class_names)} names of {classes} classes, so name each class"
    if len(set(split.class_names)) < len(split.class_names):
        return f"classes {split.class_names} share a name, so give each its own"
    return None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A train and a test split of the same kind of samples.

    Attributes:
        name: of the dataset, or where the user's own data come from.
        train, test: the splits.
        source: SHA-256 of what the samples were selected from, in hexadecimal digits; empty if
            unknown.

    Raises:
        GengapError: they differ in the shape of their inputs or in their number of classes.
    """

    name: str
    train: Split
    test: Split
    source: str = ""

    def __post_init__(self) -> None:
        shapes = self.train.inputs.shape[1:], self.test.inputs.shape[1:]
        kinds = self.train.kind, self.test.kind
        if (shapes[0], kinds[0], self.train.classes) != (shapes[1], kinds[1], self.test.classes):
            raise GengapError(
                f"Train and test split of {self.name} do not belong together ({kinds[0]} "
                f"{shapes[0]} and {kinds[1]} {shapes[1]}, classes {self.train.classes} and "
                f"{self.test.classes}): {_remedy(*shapes)}."
            )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.train.classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (H, W, C), (length, channels), (d,), ..."""
        return self.train.inputs.shape[1:]


def _remedy(train: tuple[int, ...], test: tuple[int, ...]) -> str:
    """Say how inputs of two shapes come to belong together."""
    are_images = len(train) == len(test) == IMAGE_AXES - 1
    if are_images and train[:-1] != test[:-1]:
        return "add the transform {name: resize, size: ...}"
    if are_images and train != test and {train[-1], test[-1]} == {1, 3}:
        return "add the transform {name: colour} or {name: grey}"
    return "take both from the same source"


def write_split(split: Split, path: str | Path, *, source: str = "") -> None:
    """Write a split as safetensors, with tensors ``inputs`` and ``labels``.

    There is a tensor ``groups`` where the split has groups. The metadata :data:`SPLIT` is a JSON
    object with the number of ``classes`` and, where there are any, the ``class_names`` and the
    ``source``. The same split gives the same bytes.

    Args:
        split: the split to write.
        path: the file.
        source: see :class:`Dataset`; it is written unless it is empty.

    Raises:
        MachineError: the folder cannot be written to.
    """
    # safetensors writes an array's memory as it lies, whatever its strides.
    tensors: dict[str, np.ndarray] = {
        "inputs": np.ascontiguousarray(split.inputs),
        "labels": np.ascontiguousarray(split.labels),
    }
    described: dict[str, Any] = {"classes": split.classes}
    if split.groups is not None:
        tensors["groups"] = np.ascontiguousarray(split.groups)
    if split.class_names:
        described["class_names"] = split.class_names
    if source:
        described["source"] = source
    with writing(path) as part:
        save_file(tensors, part, metadata={SPLIT: json.dumps(described, sort_keys=True)})


def read_split(path: str | Path) -> Split:
    """Read a split that ``write_split`` wrote.

    Its arrays are mapped into memory, see :func:`gengap.files.mapped_arrays`: many processes on one
    machine share them, and a process that runs short of memory drops pages of them.

    Args:
        path: the file.

    Returns:
        The split, checked.

    Raises:
        GengapError: the file is missing, is not such a file, or holds arrays that make no split.
    """
    with _stating_faults(path):
        arrays, metadata = mapped_arrays(path)
        described = json.loads(metadata[SPLIT])
        return Split(
            arrays["inputs"],
            arrays["labels"],
            described["classes"],
            class_names=tuple(described.get("class_names", ())),
            groups=arrays.get("groups"),
        )


def write_no_split(path: str | Path) -> None:
    """Write a file that says that there are no such data, for :func:`read_split_or_none`."""
    with writing(path) as part:
        save_file({}, part, metadata={SPLIT: json.dumps(NO_SPLIT)})


def read_split_or_none(path: str | Path) -> Split | None:
    """Read a split; None where ``write_no_split`` wrote the file.

    Args:
        path: the file.

    Returns:
        The split, checked.

    Raises:
        GengapError: the file is missing, is not such a file, or holds arrays that make no split.
    """
    with _stating_faults(path), safe_open(path, framework="numpy") as file:
        absent = json.loads(file.metadata()[SPLIT]) == NO_SPLIT
    return None if absent else read_split(path)


def count_samples(path: str | Path) -> int:
    """Count the samples of a split that ``write_split`` wrote, without reading them.

    Args:
        path: the file.

    Returns:
        The number of samples.

    Raises:
        GengapError: the file is missing, or is not such a file.
    """
    with _stating_faults(path), safe_open(path, framework="numpy") as file:
        return int(file.get_slice("labels").get_shape()[0])


@contextlib.contextmanager
def _stating_faults(path: str | Path) -> Iterator[None]:
    """Read a file of a split; whatever is wrong with it becomes one sentence."""
    try:
        yield
    except FileNotFoundError as error:
        raise GengapError(f"{path} does not exist: run the stage that writes it.") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise GengapError(
            f"{path} holds no usable split ({str(error).rstrip('.')}): "
            "delete it and run the stage that writes it again."
        ) from error
