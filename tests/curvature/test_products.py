"""Products with a matrix that are kept on disk: read, when they are asked for again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from torch import nn

from gengap.curvature import hessian
from gengap.curvature.operators import Dtype
from gengap.curvature.products import ProductRecord
from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.networks import dense

Builder = Callable[..., nn.Module]
DataMaker = Callable[..., Split]
Multiply = Callable[[NDArray[np.floating]], NDArray[np.floating]]
MATRIX = np.diag([3.0, 2.0, 1.0]).astype(np.float32)
ASKED = [np.arange(3, dtype=np.float32) + shift for shift in range(4)]


def counting(most: int = 100) -> tuple[Multiply, list[int]]:
    """A product with the matrix that fails after so many, and where its calls are counted."""
    calls: list[int] = []

    def multiply(vectors: NDArray[np.floating]) -> NDArray[np.floating]:
        if len(calls) == most:
            raise KeyboardInterrupt
        calls.append(1)
        return vectors @ MATRIX

    return multiply, calls


def asked_again(path: Path, vectors: list[NDArray[np.floating]]) -> int:
    """Ask for all products, check them, and return how many were computed."""
    record = ProductRecord(path)
    multiply, calls = counting()
    for one in vectors:
        np.testing.assert_array_equal(record.product(one, multiply), one @ MATRIX)
    return len(calls)


def test_products_are_read_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "run" / "products"
    assert asked_again(path, ASKED[:2]) == 2
    assert asked_again(path, ASKED) == 2
    assert asked_again(path, ASKED) == 0
    assert path.stat().st_size == 4 * (64 + 12)
    many = np.stack(ASKED)
    assert asked_again(path, [many]) == 1
    assert asked_again(path, [many]) == 0


def test_products_after_another_vector_or_a_damaged_one_are_computed(tmp_path: Path) -> None:
    path = tmp_path / "products"
    asked_again(path, ASKED)
    # Another second vector: what follows belonged to other iterations.
    assert asked_again(path, [ASKED[0], ASKED[3], ASKED[2]]) == 2
    assert asked_again(path, [ASKED[0], ASKED[3], ASKED[2]]) == 0
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert asked_again(path, [ASKED[0], ASKED[3], ASKED[2]]) == 1
    assert path.read_bytes() == whole
    path.write_bytes(whole[:70] + b"?" + whole[71:])
    assert asked_again(path, [ASKED[0], ASKED[3], ASKED[2]]) == 3


def test_a_product_that_fails_leaves_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "products"
    asked_again(path, ASKED)
    record = ProductRecord(path)
    multiply, _ = counting(most=0)
    with pytest.raises(KeyboardInterrupt):
        record.product(ASKED[1], multiply)
    assert asked_again(path, ASKED) == 0


def test_a_record_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    record = ProductRecord(tmp_path / "file" / "products")
    with pytest.raises(GengapError, match="make room on that disk"):
        record.product(ASKED[0], counting()[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_eigenpairs_after_an_interruption_have_the_same_bytes(
    seeded: Builder, random_split: DataMaker, tmp_path: Path, dtype: Dtype
) -> None:
    network, data = seeded(dense((4,), 3, width=5, depth=1)), random_split()
    plain = hessian(network, "cross_entropy", data, dtype=dtype)
    top, bottom = plain.eigsh(4), plain.eigsh(1, "bottom")
    trace = plain.trace(20).value

    computed: list[int] = []

    def attempt(most: int) -> None:
        """Compute all three, and stop after so many products."""
        operator = hessian(network, "cross_entropy", data, dtype=dtype)
        operator.record = ProductRecord(tmp_path / "products")
        multiply = operator._computed

        def limited(vectors: np.ndarray, many: bool) -> np.ndarray:
            if len(computed) == most:
                raise KeyboardInterrupt
            computed.append(1)
            return multiply(vectors, many)

        operator._computed = limited  # type: ignore[method-assign]
        pairs = operator.eigsh(4)
        assert pairs.values.tobytes() == top.values.tobytes()
        assert pairs.vectors.tobytes() == top.vectors.tobytes()
        assert operator.eigsh(1, "bottom").vectors.tobytes() == bottom.vectors.tobytes()
        assert operator.trace(20).value == trace

    for most in (7, 30):
        with pytest.raises(KeyboardInterrupt):
            attempt(most)
    attempt(10_000)
    whole = len(computed)
    attempt(10_000)
    assert len(computed) == whole
    (tmp_path / "products").unlink()
    computed.clear()
    attempt(10_000)
    assert len(computed) == whole
