"""Measures of a task that a test trains itself, as the workflow leaves them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from gengap.datasets import Split
from gengap.measures import Subject, tidy, to_frame
from gengap.measures.registry import known_measures
from gengap.measures.streams import common_stream
from gengap.networks import Network
from gengap.planning.families import families, families_code


def measures_of(
    network: Network,
    initial: Network | None,
    train: Split,
    chosen: Sequence[str],
    *,
    task: str,
    name: str,
    seed: int,
) -> pd.DataFrame:
    """The measures of one network, in the families that are chosen."""
    tables = []
    for family in chosen:
        subject = Subject(network, initial, train, common_stream(seed, task, family))
        table = to_frame(known_measures(family, subject, slow=False))
        tables.append(tidy(table, task, name, family))
    return pd.concat(tables)


def write_measures(
    folder: Path, tables: Sequence[pd.DataFrame], chosen: Sequence[str], *, task: str, seed: int
) -> None:
    """Write ``measures.csv`` and ``recipe.json`` of a task."""
    joined = pd.concat(tables)
    joined[joined["value"].notna()].to_csv(folder / "measures.csv", index=False)
    named = families(list(chosen))
    recipe = {
        "task": task,
        "seed": seed,
        "families": named,
        "slow": False,
        "activations": {},
        "topology": {},
        "losses": ["cross_entropy"],
        "code": families_code(named),
    }
    (folder / "recipe.json").write_text(json.dumps(recipe))
