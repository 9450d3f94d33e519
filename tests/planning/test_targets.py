"""The files that a run is for."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from gengap.planning.targets import files_across_tasks, study_files

if TYPE_CHECKING:
    from tests.planning.conftest import Config, PlanMaker


def test_only_several_tasks_are_compared(reduced: Config, plan_of: PlanMaker) -> None:
    assert files_across_tasks(plan_of(reduced)) == []
    second = copy.deepcopy(reduced["tasks"][0]) | {"name": "second"}
    both = reduced | {"tasks": [*reduced["tasks"], second]}
    assert files_across_tasks(plan_of(both)) == ["results/across_tasks.csv"]


@pytest.mark.parametrize(
    ("study", "rule"), [("ballester2023", "task_claims"), ("maddox2020", "claims")]
)
def test_a_study_is_for_everything_that_is_written_of_its_claims(
    reduced: Config, plan_of: PlanMaker, rules: list[Any], study: str, rule: str
) -> None:
    (writer,) = [one for one in rules if one.name == rule]
    written = {re.sub(r"{study.*?}", study, str(file)) for file in writer.output}
    assert len(written) == 3
    assert written <= set(study_files(plan_of(reduced), study))
