"""Splits: the labelled arrays that every package takes, and the file that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gengap.errors import GengapError
from gengap.files import writing


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled samples, checked when made.

    Attributes:
        inputs: float32, finite; images (n, H, W, C) or vectors (n, d), n >= 1.
        labels: int64 (n,), in 0..classes-1.
        classes: number of classes.

    Raises:
        GengapError: an array has another type or shape, a value is not finite, or a label is out
            of range.
    """

    inputs: NDArray[np.float32]
    labels: NDArray[np.int64]
    classes: int

    def __post_init__(self) -> None:
        fault = _fault(self.inputs, self.labels, self.classes)
        if fault:
            raise GengapError(f"Not a split of a dataset: {fault}.")

    def sample(self, count: int, rng: np.random.Generator) -> Split:
        """Draw samples without replacement, and return them in the order of the split.

        Args:
            count: how many; all of them if there are fewer.
            rng: draws one permutation of the samples, whatever ``count`` is.

        Returns:
            A split of the same classes.
        """
        rows = np.sort(rng.permutation(len(self.labels))[:count])
        return Split(self.inputs[rows], self.labels[rows], self.classes)


def _fault(inputs: np.ndarray, labels: np.ndarray, classes: int) -> str | None:
    """What is wrong with the arrays of a split, with its remedy, or None."""
    if inputs.dtype != np.float32:
        return f"inputs are {inputs.dtype}, so convert them to float32"
    if labels.dtype != np.int64:
        return f"labels are {labels.dtype}, so convert them to int64"
    if inputs.ndim not in (2, 4):
        return f"inputs have shape {inputs.shape}, so reshape them to (n, H, W, C) or (n, d)"
    if inputs.size == 0:
        return f"inputs of shape {inputs.shape} are empty, so give at least one sample"
    if labels.shape != inputs.shape[:1]:
        return f"labels have shape {labels.shape} for {len(inputs)} inputs, so give one label each"
    if not np.isfinite(inputs).all():
        return "inputs hold NaN or infinity, so remove or repair those samples"
    if labels.min() < 0 or labels.max() >= classes:
        return (
            f"labels span {labels.min()}..{labels.max()} but there are {classes} classes, "
            f"so relabel them to 0..{classes - 1}"
        )
    return None


@dataclass(frozen=True, eq=False)
class Dataset:
    """A train and a test split of the same kind of samples.

    Raises:
        GengapError: they differ in the shape of their inputs or in their number of classes.
    """

    name: str
    train: Split
    test: Split

    def __post_init__(self) -> None:
        shapes = self.train.inputs.shape[1:], self.test.inputs.shape[1:]
        if shapes[0] != shapes[1] or self.train.classes != self.test.classes:
            raise GengapError(
                f"Train and test split of {self.name} do not belong together (inputs {shapes[0]} "
                f"and {shapes[1]}, classes {self.train.classes} and {self.test.classes}): "
                "take both from the same source."
            )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.train.classes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input: (H, W, C) or (d,)."""
        return self.train.inputs.shape[1:]


def write_split(split: Split, path: str | Path) -> None:
    """Write a split as safetensors: tensors ``inputs`` and ``labels``, metadata ``classes``.

    The same split gives the same bytes.

    Args:
        split: the split to write.
        path: the file.

    Raises:
        MachineError: the folder cannot be written to.
    """
    # safetensors writes an array's memory as it lies, whatever its strides.
    tensors: dict[str, np.ndarray] = {
        "inputs": np.ascontiguousarray(split.inputs),
        "labels": np.ascontiguousarray(split.labels),
    }
    with writing(path) as part:
        save_file(tensors, part, metadata={"classes": str(split.classes)})


def read_split(path: str | Path) -> Split:
    """Read a split that ``write_split`` wrote.

    Args:
        path: the file.

    Returns:
        The split, checked.

    Raises:
        GengapError: the file is missing, is not such a file, or holds arrays that make no split.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            classes = int(file.metadata()["classes"])
            return Split(file.get_tensor("inputs"), file.get_tensor("labels"), classes)
    except FileNotFoundError as error:
        raise GengapError(f"{path} does not exist: run the stage that writes it.") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise GengapError(
            f"{path} holds no usable split ({str(error).rstrip('.')}): "
            "delete it and run the stage that writes it again."
        ) from error
