"""Class folders of images: every mode a camera or an editor writes, and what is refused."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gengap.datasets import load_own
from gengap.datasets.folders import read_images
from gengap.errors import GengapError

COLOURS = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], dtype=np.uint8)
GREYS = np.array([[0, 51], [102, 255]], dtype=np.uint8)


def saved(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels) if isinstance(pixels, np.ndarray) else pixels
    image.save(path, **options)
    return path


def one(tmp_path: Path) -> np.ndarray:
    """The only image of a folder."""
    (pixels,) = read_images(tmp_path, "images").inputs
    return np.asarray(pixels)


def test_classes_are_the_names_of_the_folders_in_order(tmp_path: Path) -> None:
    for name, count in (("dog", 2), ("cat", 3), ("ant", 1)):
        for k in range(count):
            saved(tmp_path / "train" / name / f"{k}.png", GREYS + np.uint8(k))
    saved(tmp_path / "test" / "dog" / "x.JPG", GREYS)
    data = load_own({"from": "train", "test": "test"}, folder=tmp_path)
    assert data.train.class_names == data.test.class_names == ("ant", "cat", "dog")
    assert sorted(data.train.labels.tolist()) == [0, 1, 1, 1, 2, 2]
    assert data.test.labels.tolist() == [2]  # the other classes are missing there
    assert data.input_shape == (2, 2, 1)
    assert data.train.inputs.max() == 1.0


@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_colours_come_back_in_every_mode_without_loss(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(COLOURS).convert(mode, palette=Image.Palette.ADAPTIVE)
    saved(tmp_path / "a" / "1.png", image)
    np.testing.assert_array_equal(one(tmp_path), COLOURS)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_greys_have_one_channel(mode: str, tmp_path: Path) -> None:
    saved(tmp_path / "a" / "1.png", Image.fromarray(GREYS).convert(mode))
    np.testing.assert_array_equal(one(tmp_path), GREYS[..., np.newaxis])


def test_black_and_white_is_grey(tmp_path: Path) -> None:
    saved(tmp_path / "a" / "1.png", Image.fromarray(np.array([[True, False]])))
    np.testing.assert_array_equal(one(tmp_path)[..., 0], [[255, 0]])


def test_sixteen_bits_are_scaled_by_the_largest_value(tmp_path: Path) -> None:
    deep = np.array([[0, 256], [32768, 65535]], dtype=np.uint16)
    saved(tmp_path / "a" / "1.png", deep)
    np.testing.assert_allclose(one(tmp_path)[..., 0], deep / 65535, rtol=1e-7)
    saved(tmp_path / "a" / "2.png", GREYS)
    both = read_images(tmp_path, "images").inputs
    np.testing.assert_allclose(both[1, ..., 0], GREYS / 255, rtol=1e-7)


def test_transparent_places_are_laid_over_white(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pixels = np.dstack([COLOURS, np.array([[255, 0], [51, 255]], dtype=np.uint8)])
    saved(tmp_path / "a" / "1.png", pixels)
    seen = one(tmp_path)
    np.testing.assert_array_equal(seen[0], [[255, 0, 0], [255, 255, 255]])
    # A fifth of blue over white: 0.2 * (0, 0, 255) + 0.8 * 255.
    np.testing.assert_array_equal(seen[1], [[204, 204, 255], [10, 20, 30]])
    assert "transparent places are laid over white" in caplog.text


def test_a_palette_with_a_transparent_colour_is_laid_over_white(tmp_path: Path) -> None:
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8), mode="P")
    palette.putpalette([255, 0, 0, 0, 255, 0])
    saved(tmp_path / "a" / "1.png", palette, transparency=0)
    np.testing.assert_array_equal(one(tmp_path), [[[255, 255, 255], [0, 255, 0]]])


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    wide = np.zeros((8, 16), dtype=np.uint8)
    wide[:, 8:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise: what is on the right goes down
    saved(tmp_path / "a" / "1.jpg", wide, exif=exif, quality=100)
    turned = one(tmp_path)[..., 0]
    assert turned.shape == (16, 8)
    assert turned[:6].max() < 30
    assert turned[10:].min() > 220


def test_cmyk_becomes_colours(tmp_path: Path) -> None:
    flat = Image.new("RGB", (8, 8), (200, 40, 90))
    saved(tmp_path / "a" / "1.jpeg", flat.convert("CMYK"), quality=100)
    np.testing.assert_allclose(one(tmp_path).reshape(-1, 3).mean(0), (200, 40, 90), atol=6)


def test_grey_images_among_colours_get_three_channels(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path / "a" / "1.png", COLOURS)
    saved(tmp_path / "b" / "1.png", GREYS)
    images = read_images(tmp_path, "images").inputs
    np.testing.assert_array_equal(images[1], np.repeat(GREYS[..., np.newaxis], 3, axis=-1))
    assert "1 of 2 images are grey" in caplog.text


def test_images_of_different_size_need_resize(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in "ab":
        for k in range(3):
            pixels = rng.integers(0, 256, (6 + k, 8, 3), dtype=np.uint8)
            saved(tmp_path / "images" / name / f"{k}.png", pixels)
    with pytest.raises(GengapError, match=r"a/0\.png has 6x8 .*a/1\.png has 7x8.*resize"):
        load_own({"from": "images"}, folder=tmp_path)
    resize = [{"name": "resize", "size": 4}]
    data = load_own({"from": "images", "transforms": resize}, folder=tmp_path)
    assert data.input_shape == (4, 4, 3)
    # Pillow's bilinear filter is the same triangle, up to its eight bits.
    seen = read_images(tmp_path / "images", "images", resize).inputs[1]
    with Image.open(tmp_path / "images" / "a" / "1.png") as image:
        expected = np.asarray(image.resize((4, 4), Image.Resampling.BILINEAR)) / 255
    np.testing.assert_allclose(seen, expected, atol=1.5 / 255)


def test_hidden_files_and_files_that_are_no_images_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    saved(tmp_path / "a" / "1.png", GREYS)
    (tmp_path / "a" / ".DS_Store").write_text("x")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a" / "Thumbs.db").write_text("x")
    (tmp_path / "notes.txt").write_text("x")
    with caplog.at_level(logging.WARNING):
        assert len(read_images(tmp_path, "images").inputs) == 1
    assert "2 files that are no images are left out (.db, .txt)" in caplog.text


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a" / "1.png", COLOURS)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(GengapError, match=r"a/1\.png is no image that can be read"):
        read_images(tmp_path, "images")
    path.write_bytes(b"no image")
    with pytest.raises(GengapError, match=r"a/1\.png is no image that can be read"):
        read_images(tmp_path, "images")


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("1.png", r"1\.png lies in no class folder"),
        ("a/1.bmp", r"1\.bmp is neither png nor jpeg"),
        ("a/b/1.png", r"class folder .*/a holds the folder b"),
    ],
)
def test_images_elsewhere_or_of_other_formats_are_refused(
    path: str, sentence: str, tmp_path: Path
) -> None:
    saved(tmp_path / path, GREYS)
    with pytest.raises(GengapError, match=sentence):
        read_images(tmp_path, "images")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(GengapError, match="images holds no images"):
        read_images(tmp_path, "images")


def test_a_class_that_the_training_folder_lacks_is_refused(tmp_path: Path) -> None:
    for place in ("train/a", "train/b", "test/a", "test/c"):
        saved(tmp_path / place / "1.png", GREYS)
    keys = {"from": "train", "test": "test"}
    with pytest.raises(GengapError, match=r"test holds the class 'c', which the training data"):
        load_own(keys, folder=tmp_path)
    data = load_own({**keys, "classes": ["b", "a"]}, folder=tmp_path)
    assert data.train.class_names == ("b", "a")
    assert data.test.labels.tolist() == [1]
