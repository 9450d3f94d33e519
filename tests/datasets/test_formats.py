"""The official formats against files built by hand, and the real files against known facts."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from gengap.datasets import load
from gengap.datasets.catalogue import cifar, mnist, stl10, svhn
from gengap.errors import GengapError


def write_idx_folder(folder: Path, train: int = 4, test: int = 2) -> None:
    """Unpacked IDX files of 2x3 images whose pixels count upwards, labels 0, 1, 2, ..."""
    for part, count in (("train", train), ("t10k", test)):
        images = struct.pack(">4B3I", 0, 0, 8, 3, count, 2, 3) + bytes(range(6 * count))
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(range(count))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)


def cifar_records(label_bytes: int, labels: list[int], seed: int = 0) -> tuple[bytes, np.ndarray]:
    """Records with the last label byte as given, and their images (n, 32, 32, 3)."""
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 32, 32, 3), dtype=np.uint8)
    content = b""
    for label, image in zip(labels, images, strict=True):
        planes = [image[:, :, channel].tobytes() for channel in range(3)]
        content += bytes([1] * (label_bytes - 1) + [label]) + b"".join(planes)
    return content, images


def test_idx_by_hand(tmp_path: Path) -> None:
    write_idx_folder(tmp_path)
    train, test = mnist.read_folder(tmp_path)
    assert train.inputs.shape == (4, 2, 3, 1)
    assert test.inputs.shape == (2, 2, 3, 1)
    assert train.inputs[1, :, :, 0].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert train.labels.tolist() == [0, 1, 2, 3]
    packed = tmp_path / "train-images-idx3-ubyte.gz"
    packed.write_bytes(gzip.compress((tmp_path / packed.stem).read_bytes()))
    (tmp_path / packed.stem).unlink()
    assert np.array_equal(mnist.read_folder(tmp_path)[0].inputs, train.inputs)


def test_unpacked_idx_files_are_scaled_to_one(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_idx_folder(folder)
    data = load("mnist", data_dir=tmp_path, test_size=1)
    first = data.train.inputs[data.train.labels == 1]
    assert np.allclose(first.ravel() * 255, [6, 7, 8, 9, 10, 11])
    with pytest.raises(GengapError, match="mnist has 4 samples for train_size=5"):
        load("mnist", data_dir=tmp_path, train_size=5)
    with pytest.raises(GengapError, match="mnist has 0 samples"):
        load("mnist", data_dir=tmp_path, balanced=True)
    two = load("mnist", data_dir=tmp_path, classes=(1, 0), balanced=True)
    assert sorted(two.train.labels.tolist()) == [0, 1]


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], r"has 39 bytes where .* announces 40"),
        ("train-images-idx3-ubyte", lambda b: b + b"x", r"has 41 bytes where .* announces 40"),
        ("train-images-idx3-ubyte", lambda b: b"\1" + b[1:], "no IDX file of 3-dimensional"),
        ("train-images-idx3-ubyte", lambda b: b[:9], "no IDX file of 3-dimensional"),
        ("t10k-labels-idx1-ubyte", lambda b: b"", "no IDX file of 1-dimensional"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:-1] + b"\x0a", "label above 9"),
        ("t10k-labels-idx1-ubyte", lambda b: b[:7] + b"\1" + b[8:-1], "1 labels for 2 images"),
    ],
)
def test_damaged_idx_files_are_named(
    tmp_path: Path, name: str, damage: object, sentence: str
) -> None:
    write_idx_folder(tmp_path)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(GengapError, match=rf"{name} .*{sentence}.*: .*(fetch|take)"):
        mnist.read_folder(tmp_path)


def test_cifar10_by_hand(tmp_path: Path) -> None:
    folder = tmp_path / "cifar10"
    folder.mkdir()
    first, first_images = cifar_records(1, [3, 9])
    second, second_images = cifar_records(1, [0], seed=1)
    (folder / "data_batch_part1.bin").write_bytes(first)
    (folder / "data_batch_part2.bin").write_bytes(second)
    (folder / "test_batch_first1.bin").write_bytes(second)
    train, test = cifar.read_cifar10(folder)
    assert train.labels.tolist() == [3, 9, 0]
    assert np.array_equal(train.inputs, np.concatenate([first_images, second_images]))
    assert np.array_equal(test.inputs, second_images)
    data = load("cifar10", data_dir=tmp_path)
    nine = data.train.inputs[data.train.labels == 9][0]
    assert np.allclose(nine, first_images[1].astype(np.float64) / 255)


def test_cifar100_takes_the_fine_label(tmp_path: Path) -> None:
    content, images = cifar_records(2, [99, 0])
    (tmp_path / "train.bin").write_bytes(content)
    (tmp_path / "test.bin").write_bytes(content)
    train, test = cifar.read_cifar100(tmp_path)
    assert train.labels.tolist() == [99, 0]
    assert np.array_equal(test.inputs, images)


def test_damaged_cifar_files_are_named(tmp_path: Path) -> None:
    content, _ = cifar_records(1, [3, 9])
    path = tmp_path / "data_batch_part.bin"
    (tmp_path / "test_batch_part.bin").write_bytes(content)
    with pytest.raises(GengapError, match=r"data_batch_1\.bin is missing: put"):
        cifar.read_cifar10(tmp_path)
    for damaged, sentence in (
        (content[:-1], "6145 bytes, no multiple"),
        (b"", "0 bytes, no multiple"),
        (b"\x0a" + content[1:], "a label above 9"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(GengapError, match=rf"data_batch_part\.bin .*{sentence}.*fetch"):
            cifar.read_cifar10(tmp_path)
    path.write_bytes(content)
    (tmp_path / "test_batch_part.bin").unlink()
    with pytest.raises(GengapError, match=r"test_batch\.bin is missing: put"):
        cifar.read_cifar10(tmp_path)


def test_svhn_by_hand(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    labels = np.array([[10], [1], [9], [10]], dtype=np.uint8)
    for name in ("train_32x32.mat", "test_32x32.mat"):
        savemat(tmp_path / name, {"X": images, "y": labels}, do_compression=True)
    train, _ = svhn.read_folder(tmp_path)
    assert train.labels.tolist() == [0, 1, 9, 0]
    assert train.inputs.shape == (4, 32, 32, 3)
    assert np.array_equal(train.inputs[2], images[..., 2])


def test_damaged_mat_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train_32x32.mat"
    with pytest.raises(GengapError, match=r"train_32x32\.mat is missing: put"):
        svhn.read_folder(tmp_path)
    images = np.zeros((32, 32, 3, 2), dtype=np.uint8)
    for content, sentence in (
        ({"X": images}, "cannot be read as"),
        ({"X": images, "y": [[1], [2], [3]]}, "one label for each 32x32x3 image"),
        ({"X": images.astype(float), "y": [[1], [2]]}, "one label for each 32x32x3 image"),
        ({"X": images, "y": [[0], [2]]}, r"labels outside 1\.\.10"),
    ):
        savemat(path, content)
        with pytest.raises(GengapError, match=rf"train_32x32\.mat .*{sentence}.*fetch"):
            svhn.read_mat(path)
    savemat(path, {"X": images, "y": [[1], [2]]}, do_compression=True)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"<html>not found</html>", b""):
        path.write_bytes(damaged)
        with pytest.raises(GengapError, match=r"train_32x32\.mat cannot be read.*fetch"):
            svhn.read_mat(path)


def write_stl10_folder(folder: Path, labels: list[int]) -> np.ndarray:
    """STL-10's four files, with the same samples in both parts; images (n, 96, 96, 3)."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (len(labels), 96, 96, 3), dtype=np.uint8)
    pixels = b"".join(
        image[:, column, channel].tobytes()
        for image in images
        for channel in range(3)
        for column in range(96)
    )
    for part in ("train", "test"):
        (folder / f"{part}_X.bin").write_bytes(pixels)
        (folder / f"{part}_y.bin").write_bytes(bytes(labels))
    return images


def test_stl10_by_hand(tmp_path: Path) -> None:
    images = write_stl10_folder(tmp_path, [10, 1, 3])
    train, test = stl10.read_folder(tmp_path)
    assert np.array_equal(train.inputs, images)
    assert np.array_equal(test.inputs, images)
    assert train.labels.tolist() == [9, 0, 2]
    assert train.inputs.dtype == np.uint8


def test_the_source_of_stl10_has_the_sizes_of_its_shapes() -> None:
    """The labelled images of the archive: 5000 and 8000 of 96x96x3 bytes."""
    (download,) = stl10.STL10
    assert [(file.name, file.size) for file in download.members] == [
        ("train_X.bin", 138_240_000),
        ("train_y.bin", 5_000),
        ("test_X.bin", 221_184_000),
        ("test_y.bin", 8_000),
    ]


@pytest.mark.parametrize(
    ("name", "damage", "sentence"),
    [
        ("train_X.bin", lambda b: b[:-1], "82943 bytes, no multiple of an image's 27648"),
        ("test_X.bin", lambda b: b"", "0 bytes, no multiple"),
        ("train_y.bin", lambda b: b[:-1], "2 labels for 3 images"),
        ("test_y.bin", lambda b: b[:-1] + b"\x0b", r"labels outside 1\.\.10"),
        ("test_y.bin", lambda b: b"\0" + b[1:], r"labels outside 1\.\.10"),
    ],
)
def test_damaged_stl10_files_are_named(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    write_stl10_folder(tmp_path, [10, 1, 3])
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(GengapError, match=rf"{name} .*{sentence}.*: .*fetch"):
        stl10.read_folder(tmp_path)
    path.unlink()
    with pytest.raises(GengapError, match=rf"{name} is missing: put"):
        stl10.read_folder(tmp_path)


# Mean and standard deviation of the train pixels, as every tutorial normalises with.
PUBLISHED_MOMENTS = {"mnist": (0.1307, 0.3081), "fashion_mnist": (0.2860, 0.3530)}


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_real_idx_files_have_their_known_hashes_and_content(
    shared: Callable[[str], Path], name: str
) -> None:
    data = load(name, data_dir=shared(f"data/{name}").parent)
    assert data.train.inputs.shape == (60_000, 28, 28, 1)
    assert data.test.inputs.shape == (10_000, 28, 28, 1)
    mean, deviation = PUBLISHED_MOMENTS[name]
    assert data.train.inputs.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-4)
    assert np.sqrt(np.mean(np.square(data.train.inputs), dtype=np.float64) - mean**2) == (
        pytest.approx(deviation, abs=2e-4)
    )
    counts = np.bincount(data.train.labels)
    if name == "mnist":
        assert counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    else:
        assert counts.tolist() == [6000] * 10


def test_real_mnist_begins_with_a_five(shared: Callable[[str], Path]) -> None:
    train, test = mnist.read_folder(shared("data/mnist"))
    assert train.labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]


def test_real_cifar10_begins_with_a_frog_and_a_cat(shared: Callable[[str], Path]) -> None:
    train, test = cifar.read_cifar10(shared("data/cifar10"))
    assert train.labels[:4].tolist() == [6, 9, 9, 4]
    assert test.labels[:4].tolist() == [3, 8, 8, 0]
    assert train.inputs[0, 0, 0].tolist() == [59, 62, 63]
    assert (len(train.labels), len(test.labels)) == (10_000, 1_000)


def test_real_cifar10_subset_is_balanced_and_fits_a_small_grey_network(
    shared: Callable[[str], Path],
) -> None:
    data = load(
        "cifar10",
        data_dir=shared("data/cifar10").parent,
        train_size=205,
        test_size=100,
        balanced=True,
        transforms=[{"name": "resize", "size": 8}, {"name": "grey"}],
    )
    assert data.input_shape == (8, 8, 1)
    assert set(np.bincount(data.train.labels).tolist()) == {20, 21}
    assert np.bincount(data.test.labels).tolist() == [10] * 10
