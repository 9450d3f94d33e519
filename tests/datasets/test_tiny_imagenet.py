"""Tiny ImageNet's folders against a small one made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gengap.datasets import load
from gengap.errors import GengapError

CLASSES = ("n01443537", "n01629819", "n02099601")
GREYS = (20, 120, 220)


def write_image(path: Path, grey: int, mode: str = "RGB", side: int = 64) -> None:
    """A plain image: JPEG keeps its grey to within rounding."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (grey,) * 3).convert(mode).save(path, "JPEG")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "tiny_imagenet"
    lines = []
    for name, grey in zip(CLASSES, GREYS, strict=True):
        for position in range(3):
            image = root / "train" / name / "images" / f"{name}_{position}.JPEG"
            write_image(image, grey, "L" if position == 1 else "RGB")
        write_image(root / "val" / "images" / f"val_{grey}.JPEG", grey)
        lines.append(f"val_{grey}.JPEG\t{name}\t0\t0\t62\t62")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return root


def test_images_and_labels_are_those_of_the_folders(folder: Path) -> None:
    data = load("tiny_imagenet", data_dir=folder.parent)
    assert data.classes == 200
    assert data.input_shape == (64, 64, 3)
    assert (len(data.train.labels), len(data.test.labels)) == (9, 3)
    for split in (data.train, data.test):
        expected = np.array(GREYS)[split.labels] / 255
        np.testing.assert_allclose(split.inputs.mean((1, 2, 3)), expected, atol=2 / 255)


def test_some_classes_and_a_resize(folder: Path) -> None:
    transforms = [{"name": "resize", "size": 32}]
    data = load(
        "tiny_imagenet", data_dir=folder.parent, classes=(2, 0), train_size=4, transforms=transforms
    )
    assert data.train.inputs.shape == (4, 32, 32, 3)
    expected = np.array([220, 20])[data.train.labels] / 255
    np.testing.assert_allclose(data.train.inputs.mean((1, 2, 3)), expected, atol=2 / 255)


def test_bad_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(GengapError, match="tiny_imagenet is not downloaded"):
        load("tiny_imagenet")
    with pytest.raises(GengapError, match="nowhere/tiny_imagenet is no folder"):
        load("tiny_imagenet", data_dir=tmp_path / "nowhere")
    image = folder / "val" / "images" / "val_20.JPEG"
    write_image(image, 20, side=32)
    with pytest.raises(GengapError, match=r"has shape \(32, 32, 3\)"):
        load("tiny_imagenet", data_dir=tmp_path)
    image.write_bytes(b"no image")
    with pytest.raises(GengapError, match=r"val_20.JPEG cannot be read as an image"):
        load("tiny_imagenet", data_dir=tmp_path)
    annotations = folder / "val" / "val_annotations.txt"
    annotations.write_text("val_20.JPEG\tn0\t0\t0\t1\t1\n")
    with pytest.raises(GengapError, match="names the class 'n0'"):
        load("tiny_imagenet", data_dir=tmp_path)
    annotations.write_text("")
    with pytest.raises(GengapError, match="val holds no images"):
        load("tiny_imagenet", data_dir=tmp_path)
    annotations.unlink()
    with pytest.raises(GengapError, match=r"val_annotations.txt is missing"):
        load("tiny_imagenet", data_dir=tmp_path)
    (tmp_path / "other" / "tiny_imagenet").mkdir(parents=True)
    with pytest.raises(GengapError, match="holds 0 folders of classes"):
        load("tiny_imagenet", data_dir=tmp_path / "other")
