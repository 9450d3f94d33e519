"""What can be known of networks and data from their names, before anything is built or read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import ARCHITECTURES, DATASETS, LAYERS
from gengap.planning.settings import validated


def check_network(network: Mapping[str, Any], origin: str) -> None:
    """Refuse a network of an unknown architecture or layer.

    Args:
        network: keywords with ``architecture`` or ``model_config``; those of a template are left
            to its schema.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: a name that the library does not know, or a keyword that the architecture
            does not have.
    """
    if "architecture" in network:
        name = network["architecture"]
        _check_name(name, ARCHITECTURES, f"{origin} names the architecture")
        for key in network:
            if key not in ("architecture", "input_shape", "classes", *ARCHITECTURES[name]):
                known = ", ".join(ARCHITECTURES[name]) or "none"
                raise GengapError(
                    f"{origin} gives the architecture '{name}' the keyword '{key}', which it does "
                    f"not have (it has {known}): leave it out."
                )
    for layer in network.get("model_config", []):
        _check_name(layer.get("layer_name"), LAYERS, f"{origin} names the layer")


def check_loss(network: Mapping[str, Any], loss: Any, origin: str) -> None:
    """Refuse the loss ``nll`` for a named architecture, whose outputs are logits.

    Args:
        network: keywords of a network.
        loss: name of the loss that it is to be trained on.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: the network cannot end in softmax.
    """
    if loss == "nll" and "architecture" in network:
        raise GengapError(
            f"{origin} trains the architecture '{network['architecture']}' on the loss nll, which "
            "needs a network that ends in softmax: take cross_entropy, or list the layers in "
            "'model_config'."
        )


def check_nested(value: Any, key: str, schema: Path, origin: str) -> None:
    """Refuse what names tell is wrong in the nested settings of an experiment.

    Args:
        value: a setting.
        key: its name; what is called ``dataset`` must be one.
        schema: the schema of configs, which describes a dataset.
        origin: where the settings stand, the beginning of a sentence.

    Raises:
        GengapError: an unknown architecture or layer, or a dataset with an unknown name or key.
    """
    if isinstance(value, list):
        for entry in value:
            check_nested(entry, key, schema, origin)
    elif isinstance(value, Mapping):
        if key == "dataset" or value.get("name") in DATASETS:
            validated(value, f"{origin}, '{key}',", schema, "dataset")
        check_network(value, f"{origin}, '{key}',")
        for name, entry in value.items():
            check_nested(entry, name, schema, origin)


def _check_name(name: Any, known: Collection[str], sentence: str) -> None:
    if name not in known:
        raise GengapError(f"{sentence} '{name}': choose one of {', '.join(sorted(known))}.")
