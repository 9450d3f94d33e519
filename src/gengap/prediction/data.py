"""Whether a network was trained on the data of a reference, or on others of their distribution."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gengap.datasets import Split
from gengap.seeding import generator

SAMPLED = 300
"""Most inputs of each side that are compared."""
DIRECTIONS = 16
"""Most principal components in which inputs are compared."""
PERMUTATIONS = 999
SAME_DISTRIBUTION = 0.01
"""Level of the test that two sets of inputs have one distribution. It is low, since networks whose
data do have one are tested, too, and should rarely be declined."""


def row_digests(inputs: np.ndarray) -> np.ndarray:
    """Return (n,) uint64: a digest of each input's bytes."""
    rows = np.ascontiguousarray(inputs)
    digests = [hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in rows]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def digest_of_rows(digests: np.ndarray) -> str:
    """Return 16 hexadecimal digits of a set of inputs, whatever their order."""
    ordered = np.sort(digests).astype("<u8")
    return hashlib.sha256(ordered.tobytes()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class ReferenceData:
    """What a reference keeps of its training data, to compare others with.

    Attributes:
        shape: of one input.
        kind: what an input is, as :attr:`gengap.datasets.Split.kind`.
        classes: number of classes; 0 where the targets are numbers.
        digests: (n,) uint64, sorted: one of each training input of its networks, or of their pool.
        mean: (d,) float32 of the inputs, flattened.
        directions: (k, d) float32, principal components of a sample of the inputs.
        sample: (m, k + 1) float32: the sample's coordinates and distances from their plane.
    """

    shape: tuple[int, ...]
    kind: str
    classes: int
    digests: np.ndarray
    mean: np.ndarray
    directions: np.ndarray
    sample: np.ndarray

    @classmethod
    def of_split(cls, split: Split) -> ReferenceData:
        """Describe training data.

        Args:
            split: the training data of a task, or their pool.

        Returns:
            The description, whatever the order of the inputs.
        """
        inputs = split.inputs
        digests, positions = np.unique(row_digests(inputs), return_index=True)
        rng = generator(0, "prediction", "inputs")
        chosen = np.sort(rng.permutation(len(digests))[:SAMPLED])
        rows = flat(inputs[positions[chosen]])
        mean = rows.mean(axis=0)
        directions = np.linalg.svd(rows - mean, full_matrices=False)[2][:DIRECTIONS]
        return cls(
            shape=inputs.shape[1:],
            kind=split.kind,
            classes=split.classes,
            digests=digests,
            mean=mean,
            directions=directions,
            sample=coordinates(rows, mean, directions),
        )

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits of the set of inputs."""
        return digest_of_rows(self.digests)

    def within(self, other: ReferenceData) -> bool:
        """Tell whether all inputs are inputs of other data."""
        return bool(np.isin(self.digests, other.digests).all())

    def difference(self, data: Split) -> str | None:
        """Say how data differ from those of the reference.

        Inputs that all are inputs of the reference are the same data. Others are compared by the
        energy distance (Szekely and Rizzo, "Energy statistics: a class of statistics based on
        distances", Journal of Statistical Planning and Inference 143, 2013) of a sample of them
        and of the reference's, in the principal components of the latter, with a permutation test.

        Args:
            data: what a network was trained on.

        Returns:
            A sentence, or None where nothing speaks against the same distribution.
        """
        shape = data.inputs.shape[1:]
        if (shape, data.kind) != (self.shape, self.kind):
            return (
                f"its inputs ({data.kind}, {list(shape)}) are not those of the reference "
                f"({self.kind}, {list(self.shape)})"
            )
        if data.classes != self.classes:
            return f"its data have {data.classes} classes, and the reference's {self.classes}"
        own = np.unique(row_digests(data.inputs), return_index=True)
        if np.isin(own[0], self.digests).all():
            return None
        rng = generator(0, "prediction", "difference")
        chosen = own[1][rng.permutation(len(own[1]))[:SAMPLED]]
        rows = coordinates(flat(data.inputs[chosen]), self.mean, self.directions)
        p = energy_test(rows, self.sample, rng)
        if p >= SAME_DISTRIBUTION:
            return None
        return f"its inputs have another distribution than the reference's (p = {p:.3g})"

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, ready for a file."""
        return {
            "data.digests": self.digests,
            "data.mean": self.mean,
            "data.directions": self.directions,
            "data.sample": self.sample,
        }

    def content(self) -> dict[str, Any]:
        """Return what is no array, ready for JSON."""
        return {
            "shape": list(self.shape),
            "kind": self.kind,
            "classes": self.classes,
            "digest": self.digest,
        }

    @classmethod
    def from_file(
        cls, content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> ReferenceData:
        """Make it from what :meth:`content` and :meth:`arrays` returned."""
        return cls(
            tuple(content["shape"]),
            content["kind"],
            content["classes"],
            arrays["data.digests"],
            arrays["data.mean"],
            arrays["data.directions"],
            arrays["data.sample"],
        )


def flat(inputs: np.ndarray) -> np.ndarray:
    """Return (n, d) float32."""
    return inputs.reshape(len(inputs), -1).astype(np.float32)


def coordinates(rows: np.ndarray, mean: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return (n, k + 1) float32: coordinates in a plane, and the distance from it."""
    centred = rows - mean
    scores = centred @ directions.T
    rest = np.linalg.norm(centred - scores @ directions, axis=1)
    return np.column_stack([scores, rest]).astype(np.float32)


def energy_test(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> float:
    """Test whether two samples have one distribution, by the energy distance.

    Args:
        first: (n, k).
        second: (m, k).
        rng: draws the permutations.

    Returns:
        The p value, (1 + permutations with as large a distance) / (1 + permutations).
    """
    from scipy.spatial.distance import cdist

    both = np.concatenate([first, second]).astype(np.float64)
    distances = cdist(both, both)
    labels = np.zeros(len(both))
    labels[: len(first)] = 1.0
    orders = np.array([labels, *(rng.permutation(labels) for _ in range(PERMUTATIONS))])
    # 2 E|x - y| - E|x - x'| - E|y - y'| is -w^T D w with weights 1/n and -1/m.
    weights = orders / len(first) - (1 - orders) / len(second)
    statistics = -np.sum((weights @ distances) * weights, axis=1)
    as_large = statistics[1:] >= statistics[0] * (1 - 1e-9)
    return float((1 + as_large.sum()) / (1 + PERMUTATIONS))
