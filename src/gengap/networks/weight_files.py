"""Reading weights from the files that people keep them in."""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from gengap.errors import GengapError
from gengap.networks.adoption import WHOLE
from gengap.networks.keras_files import KERAS_SUFFIXES, load_weights
from gengap.networks.weights import listed, set_weights

logger = logging.getLogger(__name__)

STATE_DICT_SUFFIXES = (".pt", ".pth", ".bin", ".ckpt")
"""Files of a state dict that ``torch.save`` wrote."""

WRAPPERS = ("state_dict", "model", "model_state_dict")
"""Keys under which training scripts keep the state dict beside other things."""

PREFIXES = ("module.", "model.", "_orig_mod.")
"""What ``DataParallel``, Lightning and ``torch.compile`` put before all names of a network."""


def read_weights(network: nn.Module, path: str | Path) -> None:
    """Read a network's weights from a file, in place.

    A state dict may stand under ``state_dict``, ``model`` or ``model_state_dict``, and its names
    may all begin with ``module.``, ``model.`` or ``_orig_mod.``: that is removed and logged. Then
    names and shapes must be those of the network, all of them. Floating weights of another
    precision are converted, which is logged. Nothing in a file is run.

    Args:
        network: what to change.
        path: safetensors, a state dict that ``torch.save`` wrote (.pt, .pth, .bin, .ckpt), or, for
            a network of Keras' layers, a file of Keras (.keras, .h5, .hdf5).

    Raises:
        GengapError: the file is missing, damaged or of another kind, or a tensor is missing,
            unknown, of the wrong shape, or not finite; the sentence names the file and the tensor.
            The network is then unchanged.
    """
    path = Path(path)
    if path.suffix.lower() in KERAS_SUFFIXES:
        load_weights(network, path)
        return
    if path.suffix.lower() in STATE_DICT_SUFFIXES:
        tensors = _state_dict(path)
    else:
        tensors = _safetensors(path)
    set_weights(network, _renamed(tensors, network.state_dict(), path), source=str(path))


def _safetensors(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".onnx":
        raise GengapError(
            f"{path} is ONNX, whose weights have no names of a network: give the state_dict of the "
            "network that it was exported from."
        )
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise GengapError(
            f"Cannot read the weights {path} ({error}): give a safetensors file, a state dict "
            f"({', '.join(STATE_DICT_SUFFIXES)}), or train or import the network again."
        ) from error


def _state_dict(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a state dict, without running anything that the file holds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the file is TorchScript, which is said below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise GengapError(
            f"Cannot read the weights {path} ({error.strerror}): correct the path."
        ) from error
    except pickle.UnpicklingError as error:
        raise _no_state_dict(path, "holds a pickled module or other Python objects") from error
    except Exception as error:
        if "TorchScript" in str(error):
            raise _no_state_dict(path, "is TorchScript", "torch.jit.load") from error
        raise GengapError(
            f"{path} is damaged, or was not written by torch.save ({type(error).__name__}): save "
            "the state_dict again."
        ) from error
    for key in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            logger.info("%s: the state dict is that under %r.", path, key)
            content = content[key]
            break
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in content.items()
    ):
        raise GengapError(
            f"{path} holds {_described(content)} instead of a state dict: save one with "
            'torch.save(network.state_dict(), "weights.pt").'
        )
    return dict(content)


def _no_state_dict(path: Path, what: str, load: str = "torch.load") -> GengapError:
    unsafe = "" if load == "torch.jit.load" else ", weights_only=False"
    return GengapError(
        f"{path} {what}, which is not read since that could run code: where you trust the file, "
        f'save its state dict with the two lines network = {load}("{path.name}"{unsafe}) and '
        'torch.save(network.state_dict(), "weights.pt"), and give weights.pt.'
    )


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a mapping with the keys {listed(list(map(str, content)))}"
    return f"a {type(content).__name__}"


def _renamed(
    tensors: dict[str, Tensor], expected: Mapping[str, Tensor], path: Path
) -> dict[str, Tensor]:
    """Remove what stands before all names of a file and not before those of the network."""
    removed = ""
    while tensors and not tensors.keys() & expected.keys():
        prefix = next((p for p in PREFIXES if all(name.startswith(p) for name in tensors)), None)
        whole = all(name.startswith(f"{WHOLE}.") for name in expected)
        if whole and _shares(tensors, expected):
            tensors = {f"{WHOLE}.{name}": tensor for name, tensor in tensors.items()}
        elif prefix is None:
            break
        else:
            removed += prefix
            tensors = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    if removed:
        logger.info("%s: %r is removed from the beginning of all names.", path, removed)
    return tensors


def _shares(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return any(f"{WHOLE}.{name}" in expected for name in tensors)
