"""The text that stands for a network on a command line, read into a spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.networks.hubs import HUBS

SPEC_FORMS = (
    "a JSON file or text, a network's folder of a task, mynets.py:SmallResNet, "
    "torchvision:resnet18, timm:resnet18, model.keras or model.h5"
)

FOLDER_SPEC = "config.json"
"""The file of the spec in a network's folder of a task."""

_UNREADABLE = {
    ".onnx": (
        "ONNX, a graph without modules whose layers cannot be observed: give the Python network "
        "that it was exported from (mynets.py:SmallResNet), with its state_dict"
    ),
    **dict.fromkeys(
        (".pt", ".pth", ".bin", ".ckpt", ".safetensors"),
        "weights without a network (or TorchScript, whose layers cannot be observed): give the "
        "Python network (mynets.py:SmallResNet), and this file as its weights",
    ),
}


def read_spec(text: str) -> tuple[dict[str, Any], Path]:
    """Read the spec of a network from the text of a command line.

    Args:
        text: a JSON file or text, a network's folder of a task, or a short form:
            ``mynets.py:SmallResNet``, ``torchvision:resnet18``, ``model.keras``.

    Returns:
        The spec, and the folder that its paths are relative to: that of the file, or the working
        directory.

    Raises:
        GengapError: the text is nothing of these; the sentence names the forms.
    """
    if text.lstrip().startswith("{"):
        return _parsed(text, "The network's JSON text"), Path()
    hub = text.partition(":")[0]
    if hub in HUBS:
        return {"hub": text}, Path()
    file, _, name = text.rpartition(":")
    if file.endswith(".py"):
        return {"factory": f"{Path(file).name}:{name}"}, Path(file).parent
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix in (".keras", ".h5", ".hdf5"):
        return {"keras": path.name}, path.parent
    if suffix in _UNREADABLE:
        raise GengapError(f"{text} is {_UNREADABLE[suffix]}.")
    if path.is_dir():
        path = path / FOLDER_SPEC
    if path.suffix.lower() != ".json":
        raise GengapError(f"{text!r} is no network: give {SPEC_FORMS}.")
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise GengapError(
            f"{path} cannot be read ({error.strerror}): give {SPEC_FORMS}."
        ) from error
    return _parsed(content, str(path)), path.parent


def _parsed(content: str, source: str) -> dict[str, Any]:
    try:
        spec = json.loads(content)
    except ValueError as error:
        raise GengapError(f"{source} is not valid JSON ({error}): correct it.") from error
    if not isinstance(spec, dict):
        raise GengapError(f"{source} is not a JSON object: give a network's spec.")
    return spec
