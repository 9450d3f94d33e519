"""What can be known of networks and data from their names, before anything is built or read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gengap.errors import GengapError
from gengap.names import (
    ALWAYS_IGNORED_KEYWORDS,
    ARCHITECTURES,
    DATASET_KEYS,
    DATASETS,
    ENTRY_KEYWORDS,
    IGNORED_KEYWORDS,
    LAYERS,
    SCHEDULES,
    TEMPLATES,
    TOGETHER,
)
from gengap.planning.layer_graph import inbound_positions
from gengap.planning.settings import validated

RECIPES = ("training", "random_training")
"""Settings of experiments that are recipes."""
WITHOUT_DEFAULT = ("width", "depth")
"""Keywords that every template requires."""


def check_network(network: Mapping[str, Any], origin: str) -> None:
    """Refuse a network of an unknown architecture or layer.

    Args:
        network: keywords with ``architecture`` or ``model_config``. Those of a template are left to
            its schema, since a study may have templates of its own.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: a name that the library does not know, a keyword that the architecture or
            layer does not have, or an entry of ``inbound_nodes`` that is no earlier layer.
    """
    if "architecture" in network:
        name = network["architecture"]
        _check_name(name, ARCHITECTURES, f"{origin} names the architecture")
        known = ("architecture", "input_shape", "classes", *ARCHITECTURES[name])
        _check_keywords(network, known, f"{origin} gives the architecture '{name}'")
    elif "model_config" in network:
        known = ("model_config", "input_shape")
        _check_keywords(network, known, f"{origin} gives the network of a 'model_config'")
        _check_layers(network["model_config"], origin)


def check_complete(network: Mapping[str, Any], origin: str) -> None:
    """Refuse a network of a zoo that does not say what is to be built.

    Args:
        network: all keywords of a network.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: not just one kind of network is named, or a template lacks a keyword or is
            given that of an architecture.
    """
    kinds = [kind for kind in ("template", "architecture", "model_config") if kind in network]
    if len(kinds) != 1:
        raise GengapError(
            f"{origin} names {' and '.join(kinds) or 'no kind of network'}: give 'network' or the "
            "grid one of 'template', 'architecture' and 'model_config'."
        )
    name = network.get("template")
    if name in TEMPLATES:
        known = ("template", *TEMPLATES[name])
        _check_keywords(network, known, f"{origin} gives the template '{name}'")
    for key in WITHOUT_DEFAULT if "template" in network else ():
        if key not in network:
            raise GengapError(
                f"{origin} has a template without '{key}': set it in 'network' or in the grid."
            )


def check_training(training: Mapping[str, Any], origin: str) -> None:
    """Refuse a recipe whose entries contradict each other.

    Args:
        training: entries that the schema allows.
        origin: where they stand, the beginning of a sentence.

    Raises:
        GengapError: Nesterov's momentum without momentum, or a keyword that the schedule lacks.
    """
    if training.get("nesterov") and training.get("momentum") == 0:
        raise GengapError(f"{origin} sets 'nesterov' with momentum 0: give a momentum above 0.")
    schedule = training.get("schedule")
    if schedule:
        name = schedule["name"]
        _check_keywords(
            schedule, ("name", *SCHEDULES[name]), f"{origin} gives the schedule '{name}'"
        )


def check_loss(
    network: Mapping[str, Any], loss: Any, origin: str, kinds: Collection[str] = ("architecture",)
) -> None:
    """Refuse the loss ``nll`` for a network whose outputs are logits.

    Args:
        network: keywords of a network.
        loss: name of the loss that it is to be trained on.
        origin: where they stand, the beginning of a sentence.
        kinds: the kinds of network that end in logits. An experiment may end a template in softmax,
            a zoo does not.

    Raises:
        GengapError: the network cannot end in softmax.
    """
    kind = next((kind for kind in kinds if kind in network), None)
    if loss == "nll" and kind:
        raise GengapError(
            f"{origin} trains the {kind} '{network[kind]}' on the loss nll, which "
            "needs a network that ends in softmax: take cross_entropy, or list the layers in "
            "'model_config'."
        )


def check_nested(value: Any, key: str, schema: Path, origin: str) -> None:
    """Refuse what names tell is wrong in the nested settings of an experiment.

    What is called ``dataset``, ``training`` or ``random_training`` must be one.

    Args:
        value: a setting.
        key: its name.
        schema: the schema of configs, which describes datasets and recipes.
        origin: where the settings stand, the beginning of a sentence.

    Raises:
        GengapError: an unknown architecture or layer, or a dataset or a recipe that the schema
            refuses.
    """
    if isinstance(value, list):
        for entry in value:
            check_nested(entry, key, schema, origin)
    elif isinstance(value, Mapping):
        if key == "dataset" and "from" in value:
            raise GengapError(
                f"{origin}, '{key}', has the key 'from', but an experiment takes a dataset of the "
                "library: give its 'name'."
            )
        if key == "dataset" and value.get("resample"):
            raise GengapError(
                f"{origin}, '{key}', has the key 'resample', which is for zoos: leave it out."
            )
        if key == "dataset" or value.get("name") in DATASETS:
            validated(value, f"{origin}, '{key}',", schema, "dataset")
            known = ("name", *DATASET_KEYS, *DATASETS[value["name"]])
            _check_keywords(value, known, f"{origin}, '{key}', gives the dataset '{value['name']}'")
        if key in RECIPES and TOGETHER in value:
            raise GengapError(
                f"{origin}, '{key}', has the key '{TOGETHER}', which is for zoos: leave it out."
            )
        if key in RECIPES:
            recipe = validated(value, f"{origin}, '{key}',", schema, "training")
            check_training(recipe, f"{origin}, '{key}',")
        check_network(value, f"{origin}, '{key}',")
        for name, entry in value.items():
            check_nested(entry, name, schema, origin)


def _check_layers(layers: Any, origin: str) -> None:
    if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
        raise GengapError(
            f"{origin} gives a 'model_config' that is no list of layers: write one mapping with a "
            "'layer_name' for each layer."
        )
    for layer in layers:
        name = layer.get("layer_name")
        _check_name(name, LAYERS, f"{origin} names the layer")
        ignored = (*ALWAYS_IGNORED_KEYWORDS, *IGNORED_KEYWORDS.get(name, ()))
        known = ("layer_name", *LAYERS[name], *ENTRY_KEYWORDS, *ignored)
        _check_keywords(layer, known, f"{origin} gives the layer '{name}'")
    try:
        inbound_positions(layers)
    except GengapError as error:
        raise GengapError(f"{origin} gives a 'model_config' that does not fit: {error}") from None


def _check_name(name: Any, known: Collection[str], sentence: str) -> None:
    if not isinstance(name, str) or name not in known:
        raise GengapError(f"{sentence} '{name}': choose one of {', '.join(sorted(known))}.")


def _check_keywords(given: Mapping[str, Any], known: Collection[str], sentence: str) -> None:
    unknown = next((key for key in given if key not in known), None)
    if unknown is not None:
        raise GengapError(
            f"{sentence} the keyword '{unknown}', which it does not have (it has "
            f"{', '.join(known)}): leave it out."
        )
