"""Images in one folder for each class, as a user has them.

Grey images have one channel and others three. Where both lie together, all get three. An image is
turned as its EXIF orientation says. Transparent places are laid over white.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gengap.datasets.part import Part, listed
from gengap.datasets.transforms import resized
from gengap.errors import GengapError

if TYPE_CHECKING:
    from PIL.Image import Image

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
GREY_MODES = ("1", "L", "LA", "La")
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of grey images of 16 bits."""

WHITE_8_BIT, WHITE_16_BIT = 255, 65535


def read_images(folder: Path, where: str, transforms: Sequence[Mapping[str, Any]] = ()) -> Part:
    """Read the images of a folder of class folders; the labels are the names of these.

    Args:
        folder: holds a folder of .png, .jpg or .jpeg images for each class. Hidden files are left
            out, and so are files that are no images, which the log counts.
        where: the folder, for messages.
        transforms: those of the dataset. Only where images differ in size, ``resize`` is applied
            while they are read.

    Returns:
        Images (n, H, W, C) in the order of classes and file names: uint8, or float32 in [0, 1]
        where an image of 16 bits is among them.

    Raises:
        GengapError: a file that is no sound image, an image of another format or outside a class
            folder, or images of different size without ``resize``.
    """
    paths = _image_paths(folder, where)
    images = [_pixels(path) for path in paths]
    channels = max(image.shape[-1] for image in images)
    grey = sum(image.shape[-1] < channels for image in images)
    if grey:
        log.warning("%s: %d of %d images are grey; they get 3 channels", where, grey, len(images))
        images = [np.repeat(image, channels // image.shape[-1], axis=-1) for image in images]
    shapes = [image.shape for image in images]
    if len(set(shapes)) > 1:
        images = _in_one_size(images, paths, transforms)
    if len({image.dtype for image in images}) > 1:
        images = [_as_floats(image) for image in images]
    labels = np.array([path.relative_to(folder).parts[0] for path in paths])
    return Part(where, np.stack(images), labels)


def _image_paths(folder: Path, where: str) -> list[Path]:
    """Return the images of all class folders, in the order of classes and names."""
    from PIL import Image

    Image.init()
    other_formats = {
        suffix for suffix, name in Image.registered_extensions().items() if name in Image.OPEN
    }
    ignored: Counter[str] = Counter()
    paths: list[Path] = []
    for place in sorted(_visible(folder)):
        if not place.is_dir():
            if place.suffix.lower() in other_formats:
                raise GengapError(
                    f"The image {place} lies in no class folder: move it into one of {where}."
                )
            ignored[place.suffix or place.name] += 1
            continue
        before = len(paths)
        for path in sorted(_visible(place)):
            suffix = path.suffix.lower()
            if path.is_dir():
                raise GengapError(
                    f"The class folder {place} holds the folder {path.name}: put its images "
                    "straight into the class folder."
                )
            if suffix in IMAGE_SUFFIXES:
                paths.append(path)
            elif suffix in other_formats:
                raise GengapError(
                    f"The image {path} is neither png nor jpeg: convert it, or remove it."
                )
            else:
                ignored[path.suffix or path.name] += 1
        if len(paths) == before:
            log.warning("%s: the class folder %s holds no images", where, place.name)
    if ignored:
        log.warning(
            "%s: %d files that are no images are left out (%s)",
            where, ignored.total(), listed(sorted(ignored)),
        )  # fmt: skip
    if not paths:
        raise GengapError(
            f"The folder {where} holds no images: put a folder of {', '.join(IMAGE_SUFFIXES)} "
            "files there for each class."
        )
    return paths


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _pixels(path: Path) -> np.ndarray:
    """Read one image (H, W, C): uint8, or float32 in [0, 1] where it has 16 bits."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            image.load()
            turned = ImageOps.exif_transpose(image)
    # Pillow raises a SyntaxError at a broken PNG, and a ValueError or others at broken content.
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise GengapError(
            f"{path} is no image that can be read ({' '.join(str(error).split())}): replace it, or "
            "remove it."
        ) from error
    if turned.mode in DEEP_MODES:
        deep = np.asarray(turned).astype(np.float32) / np.float32(WHITE_16_BIT)
        return deep[..., np.newaxis]
    flat = _without_transparency(turned, path)
    pixels = np.asarray(flat.convert("L" if flat.mode in GREY_MODES else "RGB"))
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _without_transparency(image: Image, path: Path) -> Image:
    """Lay an image with transparent places over white."""
    from PIL.Image import alpha_composite, new

    if not image.has_transparency_data:
        return image
    is_grey = image.mode in GREY_MODES
    layers = image.convert("RGBA")
    if layers.getextrema()[-1] != (WHITE_8_BIT, WHITE_8_BIT):
        log.warning("%s: transparent places are laid over white", path)
    white = new("RGBA", layers.size, "white")
    flat = alpha_composite(white, layers)
    return flat.convert("L" if is_grey else "RGB")


def _in_one_size(
    images: Sequence[np.ndarray], paths: Sequence[Path], transforms: Sequence[Mapping[str, Any]]
) -> list[np.ndarray]:
    size = next((entry.get("size") for entry in transforms if entry.get("name") == "resize"), None)
    if size is None:
        other = next(k for k, image in enumerate(images) if image.shape != images[0].shape)
        first, second = ("x".join(map(str, images[k].shape[:2])) for k in (0, other))
        raise GengapError(
            f"Images differ in size ({paths[0]} has {first} pixels, {paths[other]} has {second}): "
            "add the transform {name: resize, size: ...} to 'transforms'."
        )
    return [resized(_as_floats(image)[np.newaxis], size)[0] for image in images]


def _as_floats(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8:
        return image
    return image.astype(np.float32) / np.float32(WHITE_8_BIT)
