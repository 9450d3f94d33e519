"""The files that a run is for."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from gengap.planning.targets import files_across_tasks

if TYPE_CHECKING:
    from tests.planning.conftest import Config, PlanMaker


def test_only_several_tasks_are_compared(reduced: Config, plan_of: PlanMaker) -> None:
    assert files_across_tasks(plan_of(reduced)) == []
    second = copy.deepcopy(reduced["tasks"][0]) | {"name": "second"}
    both = reduced | {"tasks": [*reduced["tasks"], second]}
    assert files_across_tasks(plan_of(both)) == ["results/across_tasks.csv"]
