"""What planning reads of a file that holds a reference: the recipe of its measures."""

from __future__ import annotations

import json
from pathlib import Path

from gengap.errors import GengapError
from gengap.files import safetensors_header
from gengap.planning.settings import Settings


def recipe_of(path: Path) -> Settings:
    """Return the recipe of the measures in a reference file, by reading its header alone.

    Args:
        path: a safetensors file that :meth:`gengap.prediction.Reference.save` wrote.

    Returns:
        The recipe, and ``used``: the families that it needs.

    Raises:
        GengapError: the file does not exist, or is no reference.
    """
    if not path.is_file():
        raise GengapError(
            f"'predictions' names the reference {path}, which does not exist: correct the path, "
            "which is relative to the config file, or make the file by 'gengap reference'."
        )
    try:
        header, _ = safetensors_header(path)
        content = json.loads(header["__metadata__"]["reference"])
        return {**content["recipe"], "used": sorted(set(content["families"]))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GengapError(
            f"'predictions' names the reference {path}, which is none: make it again by 'gengap "
            "reference'."
        ) from error
