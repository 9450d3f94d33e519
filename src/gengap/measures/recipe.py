"""How the measures of a task were computed, so that other networks can be measured alike.

All networks of a task share their random streams (:mod:`gengap.measures.streams`), and a network
from elsewhere joins them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from gengap.activations.observing import observed
from gengap.errors import GengapError
from gengap.files import read_json
from gengap.measures.registry import attempt
from gengap.measures.results import to_frame
from gengap.measures.streams import common_stream
from gengap.measures.subject import Subject
from gengap.names import STAGED_FAMILY
from gengap.topology import draw_diagrams, summarise

RECIPE_FILE = "recipe.json"


@dataclass(frozen=True)
class Recipe:
    """The settings of a task's measures.

    Attributes:
        task: its name, which names the random streams.
        seed: the config's seed.
        families: what is computed: by name, families of the library and paths of Python files.
        slow: whether slow measures are computed.
        activations: inputs, neurons, draws, sampling and skip_layers.
        topology: max_dim, threshold and engine.
        losses: the losses that the networks were trained on, each once; none where the data tell.
        code: digest of the code that computed the measures.
    """

    task: str
    seed: int
    families: Mapping[str, str]
    slow: bool
    activations: Mapping[str, Any]
    topology: Mapping[str, Any]
    losses: tuple[str, ...]
    code: str

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Read the recipe that the workflow wrote.

        Args:
            path: the file.

        Returns:
            The recipe.

        Raises:
            GengapError: the file is missing, or holds something else.
        """
        remedy = "run the workflow again, which writes it beside the task's measures.csv"
        return cls.from_mapping(read_json(path, remedy), path)

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any], path: str | Path) -> Recipe:
        """Make a recipe from a JSON object that was read from ``path``.

        Args:
            content: values by the names of the attributes.
            path: the file, for error messages.

        Returns:
            The recipe.

        Raises:
            GengapError: a key is missing or unknown.
        """
        try:
            return cls(**{**content, "losses": tuple(content["losses"])})
        except (TypeError, KeyError) as error:
            raise GengapError(
                f"{path} is no recipe of measures ({error}): delete it and make it again."
            ) from error

    def scalars(
        self, subject: Subject, wanted: Iterable[tuple[str, str]]
    ) -> dict[tuple[str, str], float]:
        """Measure a network as the networks of the task were.

        Only what is wanted is computed: each function of a family has a random stream of its own,
        so the values do not depend on the others.

        Args:
            subject: the network; its random generator is not used.
            wanted: family and name of each measure.

        Returns:
            The values of those that have one component, by family and name.
        """
        names: dict[str, list[str]] = {}
        for family, name in wanted:
            names.setdefault(family, []).append(name)
        return {
            (family, str(name)): float(rows["value"].iloc[0])
            for family, chosen in names.items()
            for name, rows in self._table(family, chosen, subject).groupby("measure")
            if name in chosen and len(rows) == 1 and rows["value"].notna().all()
        }

    def _table(self, family: str, chosen: Sequence[str], subject: Subject) -> pd.DataFrame:
        """Return rows (measure, component, value) of some measures of a family."""
        if family == STAGED_FAMILY:
            drawn = observed(
                subject.network, subject.train, self.seed, self.task, **self.activations
            )
            return summarise(draw_diagrams(drawn, **self.topology))
        rng = common_stream(self.seed, self.task, family)
        what = f"{self.families[family]}:{','.join(chosen)}"
        return to_frame(attempt(what, replace(subject, rng=rng), slow=self.slow))
