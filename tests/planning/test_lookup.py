"""What rules look up, and how a change of it shows."""

from __future__ import annotations

from typing import Any

import pytest

from gengap.planning.lookup import named


def digest(**params: Any) -> str:
    return str(named(**params)["named"](None))


def test_parameters_stay_as_they_are() -> None:
    def of_wildcards(wildcards: Any) -> str:
        return f"{wildcards} of wildcards"

    params = named(inputs=50, entries=of_wildcards)
    assert params["inputs"] == 50
    assert params["entries"] is of_wildcards
    assert params.keys() == {"inputs", "entries", "named"}
    values = {"inputs": 50, "entries": "those of wildcards"}
    assert params["named"]("those") == digest(**values) != params["named"]("these")


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": 20, "neurons": 50, "slow": False},
        {"inputs": 50, "neurons": 50, "slow": False},
        {"inputs": 50, "neurons": 20, "slow": 0},
        {"inputs": "50", "neurons": 20, "slow": False},
    ],
)
def test_every_change_shows(changed: dict[str, Any]) -> None:
    settings = {"inputs": 50, "neurons": 20, "slow": False}
    assert digest(**settings) == digest(**dict(settings))
    assert digest(**settings) != digest(**changed)
