"""The recipe of a task's measures against the stages of the workflow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from gengap.activations import read_sample, write_sample
from gengap.activations.observing import observed
from gengap.datasets import load
from gengap.errors import GengapError
from gengap.measures import Subject, compute
from gengap.measures.recipe import Recipe
from gengap.measures.registry import known_measures
from gengap.measures.streams import common_stream
from gengap.networks import build, convolutional
from gengap.planning.plan import Plan
from gengap.planning.settings import merged
from gengap.topology import draw_diagrams, read_diagrams, summarise, write_diagrams


@pytest.fixture
def recipe(root: Path, tmp_path: Path) -> Recipe:
    """What the workflow writes for the reduced run."""
    config = yaml.safe_load((root / "config.yaml").read_text())
    changes = yaml.safe_load((root / "tests" / "workflow" / "reduced.yaml").read_text())
    plan = Plan(root, merged(config, changes))
    task = plan.task(next(iter(plan.kinds)))
    (tmp_path / "recipe.json").write_text(json.dumps(task.recipe))
    read = Recipe.read(tmp_path / "recipe.json")
    assert read.families == task.families
    assert (read.seed, read.task, read.slow) == (task.run["seed"], task.name, task.slow)
    return read


@pytest.fixture(scope="module")
def subject() -> Subject:
    train = load("digits", train_size=60, test_size=20, seed=0).train
    network = build(convolutional((8, 8, 1), 10, width=8, depth=1)).eval()
    return Subject(network, None, train, np.random.default_rng(99))


def test_topology_is_that_of_the_stages(recipe: Recipe, subject: Subject, tmp_path: Path) -> None:
    wanted = [("topology", "persistent_entropy.H0"), ("topology", "wasserstein_between_draws.H0")]
    values = recipe.scalars(subject, wanted)
    sample = observed(
        subject.network, subject.train, recipe.seed, recipe.task, **recipe.activations
    )
    write_sample(sample, tmp_path / "sample.safetensors")
    read = read_sample(tmp_path / "sample.safetensors")
    draws = draw_diagrams(read, **recipe.topology)
    write_diagrams({"0": (draws, read.metadata())}, tmp_path / "diagrams.npz")
    table = summarise(read_diagrams(tmp_path / "diagrams.npz", "0")[0]).set_index("measure")
    assert values == {key: table.loc[key[1], "value"] for key in wanted}


@pytest.mark.slow
def test_measures_alone_are_those_of_their_family(recipe: Recipe, subject: Subject) -> None:
    families = {"sharpness": "sharpness", "baseline": "baseline"}
    recipe = Recipe(**{**vars(recipe), "families": families})
    for family in families:
        stream = common_stream(recipe.seed, recipe.task, family)
        all_of_family = known_measures(
            family,
            Subject(subject.network, None, subject.train, stream),
            slow=recipe.slow,
        )
        names = [name for name, value in all_of_family.items() if isinstance(value, float | int)]
        wanted = [(family, name) for name in names]
        assert len(wanted) >= 4
        values = recipe.scalars(subject, wanted)
        assert values == {(family, name): all_of_family[name] for name in names}
        # The last one alone: no other function is called for it.
        assert recipe.scalars(subject, wanted[-1:]) == {wanted[-1]: all_of_family[names[-1]]}


def test_some_measures_of_a_family(subject: Subject) -> None:
    both = compute("baseline:parameter_count,sum_of_squared_weights", subject)
    assert list(both) == ["parameter_count", "sum_of_squared_weights"]
    with pytest.raises(GengapError, match="Unknown measure 'nothing' of family 'baseline'"):
        compute("baseline:parameter_count,nothing", subject)


def test_what_a_network_lacks_has_no_value(recipe: Recipe, subject: Subject) -> None:
    assert recipe.scalars(subject, [("baseline", "distance_from_initialisation")]) == {}
