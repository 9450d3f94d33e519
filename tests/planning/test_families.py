"""The families of measures that a config may name."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.planning.conftest import Config, PlanMaker

from gengap.errors import GengapError
from gengap.evaluation.combination import ALL, ALL_AND_HYPER_PARAMETERS, BEST_SINGLE
from gengap.evaluation.designs import COMBINATION, REFERENCE
from gengap.names import FAMILIES, RESERVED_FAMILIES
from gengap.planning.families import families, family_source


def test_families_of_the_library_and_of_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text("")
    assert list(families("all")) == list(FAMILIES)
    assert families(["baseline", str(mine)]) == {"baseline": "baseline", "mine": str(mine)}
    assert family_source("baseline") == "gengap.measures.baseline"
    with pytest.raises(GengapError, match=r"Unknown family of measures 'basline' .* baseline"):
        families(["basline"])
    with pytest.raises(GengapError, match=r"Unknown family of measures 'absent\.py'"):
        families(["absent.py"])
    (tmp_path / "baseline.py").write_text("")
    with pytest.raises(GengapError, match=r"names 'baseline' twice"):
        families(["baseline", str(tmp_path / "baseline.py")])
    (tmp_path / "my-measures.py").write_text("")
    with pytest.raises(GengapError, match=r"names the file .*my-measures\.py, whose name becomes"):
        families([str(tmp_path / "my-measures.py")])
    # Rows of the leaderboard would be taken for combinations of these.
    own = {ALL, ALL_AND_HYPER_PARAMETERS, BEST_SINGLE}
    assert set(RESERVED_FAMILIES) == {
        *(name.removeprefix(f"{COMBINATION}.") for name in own),
        *(COMBINATION, REFERENCE),
    }
    for name in RESERVED_FAMILIES:
        (tmp_path / f"{name}.py").write_text("")
        with pytest.raises(GengapError, match=rf"'{name}' is a row of the leaderboard"):
            families([str(tmp_path / f"{name}.py")])


def test_measures_marked_slow_are_computed_where_they_are_asked_for(
    reduced: Config, plan_of: PlanMaker
) -> None:
    def is_slow(**settings: object) -> bool:
        return plan_of({**reduced, **settings}).task("reduced").slow

    assert is_slow(families=["topology", "baseline"])
    assert not is_slow(families="all")
    assert is_slow(families="all", slow=True)
