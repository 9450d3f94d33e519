"""Configs small enough to read at a glance, and the plan of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gengap.planning.plan import Plan
from gengap.planning.settings import merged

Config = dict[str, Any]
PlanMaker = Callable[..., Plan]


@pytest.fixture
def reduced(root: Path) -> Config:
    """The config of the pipeline's tests, laid over the project's own."""
    config = yaml.safe_load((root / "config.yaml").read_text())
    changes = yaml.safe_load((root / "tests" / "workflow" / "reduced.yaml").read_text())
    return merged(config, changes)


@pytest.fixture
def plan_of(root: Path) -> PlanMaker:
    """A function that makes the plan of a config."""

    def make(config: Config) -> Plan:
        return Plan(root, config)

    return make
