"""Fixtures that every room's tests may use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The rules of the workflow, as Snakemake parses them."""
    # Here, since most tests need no Snakemake.
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            snakefile=ROOT / "Snakefile",
            workdir=tmp_path_factory.mktemp("parsed"),
        )
        return list(workflow._workflow.rules)


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A function that gives a folder of real data beside the checkout, by its path there.

    The test is skipped where there is no such folder.
    """

    def part(name: str) -> Path:
        folder = ROOT.parent / "shared" / name
        if not folder.is_dir():
            pytest.skip(f"real data are not here ({folder} does not exist)")
        return folder

    return part


def seeded_network(spec: dict[str, Any], seed: int = 0, initialisation: str = "glorot") -> Any:
    """A network of random weights from its spec."""
    # Here, since most tests need no torch.
    from gengap.networks import build, initialise
    from gengap.seeding import torch_generator

    network = build(spec)
    initialise(network, initialisation, torch_generator(seed, "test"))
    return network.eval()


@pytest.fixture
def random_split() -> Callable[..., Any]:
    """A function that makes a split of random inputs with random labels."""
    from gengap.datasets import Split

    def make(
        count: int = 23, shape: tuple[int, ...] = (4,), classes: int = 3, seed: int = 0
    ) -> Split:
        rng = np.random.default_rng(seed)
        inputs = rng.standard_normal((count, *shape), np.float32)
        return Split(inputs, rng.integers(0, classes, count), classes)

    return make


@pytest.fixture
def seeded() -> Callable[..., Any]:
    """The maker of networks of random weights."""
    return seeded_network
