"""A zoo: a full grid of hyper-parameters, each point trained from its own seed."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gengap.datasets import Split
from gengap.errors import GengapError
from gengap.files import writing
from gengap.names import OWN_INITIALISATION
from gengap.networks import (
    TEMPLATES,
    Network,
    build,
    copy_code,
    resolve_device,
    write_weights,
)
from gengap.networks.building import FIRST_SEED, FOREIGN_KINDS
from gengap.planning.grid import canonical_point
from gengap.seeding import derive, generator
from gengap.tasks.folder import HISTORY, LABELS, ROWS, Metrics
from gengap.tasks.outcomes import outcomes, output_count
from gengap.training import Recipe, TrainingResult, train
from gengap.training.corruption import corrupt_labels
from gengap.training.losses import check_fit
from gengap.training.together import Training

log = logging.getLogger(__name__)

CORRUPTED = "corrupted"


def network_spec(
    network: Mapping[str, Any], input_shape: tuple[int, ...], classes: int
) -> dict[str, Any]:
    """Return the spec of a zoo's network.

    Args:
        network: ``{"template": "convolutional" | "dense", keywords}``,
            ``{"architecture": name, keywords}`` or ``{"model_config": [...]}``.
        input_shape: shape of one input, channels last.
        classes: number of outputs; one for numbers.

    Returns:
        What :func:`gengap.networks.build` takes.

    Raises:
        GengapError: none of the three is given, or the template does not know a keyword.
    """
    keywords = canonical_point(network)
    if "template" in keywords:
        name = keywords.pop("template")
        if name not in TEMPLATES:
            raise GengapError(
                f"Unknown network template '{name}': choose one of {', '.join(sorted(TEMPLATES))}."
            )
        try:
            return TEMPLATES[name](input_shape, classes, **keywords)
        except TypeError as error:
            raise GengapError(f"Network template '{name}': {error}.") from error
    if "architecture" in keywords:
        return {**keywords, "input_shape": list(input_shape), "classes": classes}
    if "model_config" in keywords:
        return {**keywords, "input_shape": list(input_shape)}
    raise GengapError("A zoo's network names a 'template', an 'architecture' or a 'model_config'.")


def build_network(
    network: Mapping[str, Any], data: Split, folder: str | Path, seed: int = FIRST_SEED
) -> Network:
    """Build a network from the entry of a config.

    Args:
        network: see :func:`network_spec`; or, of a network that is made elsewhere, ``{"factory":
            "mynets.py:Net", "keywords": ...}``, ``{"hub": ...}`` or ``{"keras": ...}``, see
            :func:`gengap.networks.build`.
        data: the training split, which tells the shape of inputs and the number of outputs.
        folder: ``networks/<i>``. A factory's code is copied to ``code/<digest>`` of the task.
        seed: of the weights.

    Returns:
        The network in eval mode.

    Raises:
        GengapError: it cannot be built.
    """
    if "keras" in network:
        return build(network)
    if not any(kind in network for kind in FOREIGN_KINDS):
        spec = network_spec(network, data.inputs.shape[1:], output_count(data))
        return build(spec, seed=seed)
    code = _code_beside(Path(folder))
    return build(copy_code(network, ".", code), example=data, folder=code, seed=seed)


def write_spec(network: Network, folder: str | Path) -> None:
    """Write ``config.json`` of a network's folder; a copied factory is relative to that folder."""
    folder, spec = Path(folder), dict(network.spec)
    if "factory" in spec:
        code = Path(os.path.relpath(_code_beside(folder), folder))
        spec["factory"] = (code / spec["factory"]).as_posix()
    with writing(folder / "config.json") as part:
        part.write_text(json.dumps(spec, indent=1) + "\n")


def _code_beside(folder: Path) -> Path:
    """Return the folder of the factories that a task's networks are made by."""
    return folder.parents[1] / "code"


def check(network: Mapping[str, Any], training: Mapping[str, Any], data: Split) -> None:
    """Stop before anything is trained if a grid point cannot be built or trained.

    Args:
        network: see :func:`build_network`.
        training: entries of a :class:`gengap.training.Recipe`.
        data: the training split.

    Raises:
        GengapError: a layer, keyword, loss or other choice is unknown, or the outputs do not fit
            the classes.
    """
    recipe = Recipe.from_mapping({**canonical_point(training), "seed": 0})
    module, outputs = _tried(network, data)
    wanted = output_count(data)
    one_for_two = data.classes == 2 and outputs == (2, 1)
    if outputs != (2, wanted) and not one_for_two:
        targets = "numbers" if data.has_numbers else f"{data.classes} classes"
        raise GengapError(
            f"The network {dict(network)} gives outputs of shape {outputs[1:]} for "
            f"{targets}: make its last layer a Dense layer of {wanted} units."
        )
    check_fit(module, data, recipe.loss)


def _tried(network: Mapping[str, Any], data: Split) -> tuple[Network, tuple[int, ...]]:
    """Build a network, without memory where the library describes it.

    Returns:
        The network, and the shape of its outputs for two inputs.

    Raises:
        GengapError: it cannot be built, or does not take the inputs.
    """
    if any(kind in network for kind in (*FOREIGN_KINDS, "keras")):
        module = build(network, example=data)
        module.check_inputs(data.inputs.shape)
        return module, (2, module.outputs)
    input_type = "int64" if data.kind == "tokens" else "float32"
    shape = data.inputs.shape[1:]
    with torch.device("meta"):
        module = build(network_spec(network, shape, output_count(data))).eval()
        if module.input_type != input_type:
            raise GengapError(
                f"The network {dict(network)} takes {module.input_type} inputs, but the data hold "
                f"{input_type}: tokens need an Embedding as the first layer of a 'model_config', "
                "and only they have one."
            )
        inputs = torch.empty(2, *shape, dtype=getattr(torch, input_type))
        return module, tuple(module(inputs).shape)


@dataclass(frozen=True)
class ZooNetwork:
    """A network of a zoo that is to be trained, and the folder that it is written to.

    Attributes:
        folder: ``networks/<i>``.
        training: the network, its training data and its recipe.
        test: test data, which only serve to measure the gap.
        point: its hyper-parameters.
        replicate: its number among networks that differ by seed alone.
        rows: rows of the pool that it is trained on; None for all.
    """

    folder: Path
    training: Training
    test: Split
    point: Mapping[str, Any]
    replicate: int
    rows: NDArray[np.int64] | None = None

    @classmethod
    def of(
        cls,
        folder: str | Path,
        network: Mapping[str, Any],
        training: Mapping[str, Any],
        hyper_parameters: Mapping[str, Any],
        data: tuple[Split, Split],
        seed: int,
        device: str = "cpu",
        *,
        rows: NDArray[np.int64] | None = None,
        test_labels: str = "clean",
    ) -> ZooNetwork:
        """Build a network of a zoo.

        Args:
            folder: ``networks/<i>``.
            network: see :func:`build_network`.
            training: entries of a :class:`gengap.training.Recipe`, whose seed is derived here.
            hyper_parameters: the grid point, with ``replicate``.
            data: training data (or their pool) and test data.
            seed: the config's seed. Initial weights, batches and corruption follow from it, the
                grid point and the replicate, so a network does not change when the grid grows, nor
                when 0 is written for 0.0 (see :func:`gengap.planning.grid.canonical_point`).
            device: where to train, see :func:`gengap.networks.resolve_device`.
            rows: rows of the pool that this network is trained on; None for all.
            test_labels: one of :data:`gengap.names.TEST_LABELS`. With ``clean`` ones the gap is the
                accuracy on the labels trained on, corrupted ones among them, less that on the true
                labels of the test data. With ``corrupted`` ones the test labels are corrupted like
                the training labels, by the same fraction and from a stream of their own, so that
                both are of one distribution.

        Returns:
            The network, untrained.

        Raises:
            GengapError: the network cannot be built.
        """
        folder = Path(folder)
        pool, test_split = data
        train_split = pool if rows is None else pool.take(rows)
        point = canonical_point(hyper_parameters)
        replicate = point.pop("replicate")
        words = _words(point)
        recipe = Recipe.from_mapping(
            {**canonical_point(training), "seed": derive(seed, "train_network", *words, replicate)}
        )
        if test_labels == CORRUPTED and recipe.label_corruption and not test_split.has_numbers:
            test_split = _corrupted(test_split, recipe)
        # Weights that the recipe draws do not depend on those that a network is built with.
        own = recipe.initialisation == OWN_INITIALISATION
        first = derive(recipe.seed, "initialisation") if own else FIRST_SEED
        module = build_network(network, train_split, folder, first).to(resolve_device(device))
        trained = Training(module, train_split, recipe)
        return cls(folder, trained, test_split, point, replicate, rows)

    def train(self) -> None:
        """Train the network and write its folder.

        Raises:
            GengapError: training diverged.
        """
        self.write(train(self.training.network, self.training.data, self.training.recipe))

    def write(self, result: TrainingResult) -> None:
        """Write the folder of the network, which has been trained (see :mod:`gengap.tasks.folder`).

        Args:
            result: of its training.
        """
        module, recipe = self.training.network, self.training.recipe
        trained_on = self.training.data.with_labels(result.labels)
        reached = outcomes(module, trained_on, self.test, recipe.loss)
        log.info(
            "%s: %d epochs, %s%s",
            ", ".join(_words(self.point)),
            result.epochs,
            ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in reached.items()),
            ""
            if result.reached_target or recipe.stop_at_loss is None
            else ", target loss not reached",
        )
        write_spec(module, self.folder)
        write_weights(result.initial, self.folder / "weights_init.safetensors")
        write_weights(result.weights, self.folder / "weights.safetensors")
        with writing(self.folder / LABELS) as part:
            np.save(part, result.labels, allow_pickle=False)
        if self.rows is not None:
            with writing(self.folder / ROWS) as part:
                np.save(part, self.rows, allow_pickle=False)
        with writing(self.folder / HISTORY) as part:
            pd.DataFrame(result.history).to_csv(part, index=False)
        known: dict[str, Any] = {"train_accuracy": None, "test_accuracy": None, **reached}
        Metrics(
            hyper_parameters=dict(self.point),
            replicate=self.replicate,
            epochs=result.epochs,
            reached_target=None if recipe.stop_at_loss is None else result.reached_target,
            **known,
        ).write(self.folder / "metrics.json")


def _words(point: Mapping[str, Any]) -> list[str]:
    """Return the hyper-parameters as words, from which a network's seed follows."""
    return [f"{name}={value!r}" for name, value in sorted(point.items())]


def _corrupted(test: Split, recipe: Recipe) -> Split:
    """Return test data whose labels are corrupted as the recipe corrupts those of training."""
    chance = generator(recipe.seed, "corruption of test labels")
    labels = corrupt_labels(test.labels, test.classes, recipe.label_corruption, chance)
    return test.with_labels(labels)
