"""Write docs/measures.md: every measure of the library, with its equation, source, sign and cost.

python scripts/measures_table.py writes the page from docstrings and from docs/measures.csv; with
the folder of a task of all families, results/digits, it first writes docs/measures.csv from it.

The equation, the source and the scale of a measure are paragraphs of its function's docstring.
Where a function computes several measures, a paragraph may have a line for each: its name in double
backticks, a colon, and text; what stands before these lines belongs to all of them. A line of
``life`` is also one of ``life.H0``. The sign, the needs, and whether a measure is slow or estimates
the gap are what its decorator declares.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import math
import re
import textwrap
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from torch import nn

import checkout  # noqa: F401
from gengap import tasks
from gengap.activations import choose_inputs, sample
from gengap.errors import GengapError
from gengap.evaluation.correlations import ALL
from gengap.files import writing
from gengap.measures import FAMILIES, Subject, attempt
from gengap.measures.registry import Declaration, MeasureFunction, declaration, members
from gengap.names import NEEDS, STAGED_FAMILY
from gengap.topology import draw_diagrams, summarise

ROOT = Path(__file__).resolve().parents[1]
TABLE, PAGE = ROOT / "docs" / "measures.csv", ROOT / "docs" / "measures.md"

NAME = r"``[\w.]+``"
LINE = re.compile(rf"^\s*-\s+({NAME}(?:,\s+{NAME})*):\s", re.MULTILINE)
VERBATIM = re.compile(r"(``.+?``|`[^`]+`|\$[^$]+\$)")
ROLE = re.compile(r":[a-z]+:`~?([^`]+)`")

TIMED = 8
"""Networks of the task, evenly spaced, on which measures are timed."""

STATISTICS = ["cost", "tau", "low", "high", "within"]
"""Columns of the committed table besides ``family`` and ``measure``: CPU seconds, and Kendall's tau
with its interval and its mean within the strata."""

HEADER = [
    "Measure", "Equation", "Source", "Scale", "Sign", "Needs", "CPU s", "Tau", "95%", "Within",
]  # fmt: skip
DESCRIBED = slice(1, 3)
"""Columns whose cells refer to the cell above where both are the same."""
AS_ABOVE = "as above"

SHORTEST = 0.01
"""CPU seconds below which no number is given."""

INTRODUCTION = """\
# Measures

The measures of the library: {measures} in {families} families. `make measures-table` writes this
page from docstrings and from [measures.csv](measures.csv); change those, not this page.

- **Scale**: *logarithm* of a heavy-tailed quantity; *gap* where the value estimates the gap itself,
  in the gap's own units.
- **Sign**: + where a larger value predicts a larger gap, ? where no sign is known.
- **Needs**: what a network and its task must have, or the measure is left out by name; *kernels*:
  half of the parameters in layers whose kernels are known.
- **CPU s**: mean CPU seconds for a network of the default task, of all measures that one function
  computes, in all of its draws: a measure that rests on random draws is the mean of several, which
  gives it a standard error. *Slow* measures are computed where their family is named in the config,
  or with `slow: true`. The seconds of `topology` are those of the workflow, whose config sets
  neurons and draws; `gengap measure` takes more of both, and so leaves the family out without
  `--slow`.
- **Tau**: Kendall's tau-b with the gap over the networks of the default task, with its 95%
  bootstrap interval; **within**: its mean over the values of the two hyper-parameters within which
  the config asks for it. A measure of several components has none.

Ranks on one small task say little about others, and a measure that only detects corrupted labels
ranks high over all networks: compare tau with the column beside it.
"""


@dataclass(frozen=True)
class Documented:
    """One measure, as its docstring and its decorator describe it.

    Attributes:
        family: the name of its family.
        name: its name.
        declared: what the decorator declares about its function.
        equation: what is computed.
        source: where it comes from.
        scale: the scale of the value.
    """

    family: str
    name: str
    declared: Declaration
    equation: str
    source: str
    scale: str


def documented() -> list[Documented]:
    """Describe every measure of the library, in the order of the families."""
    return [
        Documented(
            family,
            name,
            declaration(function),
            described(function, "Equation", name),
            described(function, "Source", name),
            described(function, "Scale", name),
        )
        for family in FAMILIES
        for name, function in members(family).items()
    ]


def described(function: MeasureFunction, title: str, name: str) -> str:
    """Return what one paragraph of a function's docstring says of one of its measures.

    Args:
        function: the measure's function.
        title: the word that the paragraph begins with.
        name: the measure's name.

    Returns:
        Text without line breaks; empty where there is none.
    """
    docstring = inspect.getdoc(function) or ""
    paragraph = re.search(rf"^{title}:\s(.*?)(?:\n\s*\n|\Z)", docstring, re.DOTALL | re.MULTILINE)
    if paragraph is None:
        return ""
    shared, *lines = LINE.split(textwrap.dedent(paragraph[1]))
    if not lines:
        return _one_line(shared)
    by_name = {
        stem: text
        for names, text in zip(lines[::2], lines[1::2], strict=True)
        for stem in re.findall(r"[\w.]+", names)
    }
    text = by_name.get(name, by_name.get(name.partition(".")[0]))
    return "" if text is None else _one_line(f"{shared} {text}")


def _one_line(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")


def page(measures: list[Documented], statistics: pd.DataFrame) -> str:
    """Write the page.

    Args:
        measures: every measure.
        statistics: columns ``family``, ``measure`` and :data:`STATISTICS`.

    Returns:
        Markdown: an introduction, and a table for each family.
    """
    by_name = statistics.set_index(["family", "measure"]).to_dict("index")
    parts = [INTRODUCTION.format(measures=len(measures), families=len(FAMILIES))]
    for family in FAMILIES:
        rows = [HEADER, ["---"] * len(HEADER)]
        above = ["", ""]
        for measure in measures:
            if measure.family == family:
                row = _row(measure, by_name.get((family, measure.name), {}))
                texts = row[DESCRIBED]
                row[DESCRIBED] = [
                    AS_ABOVE if text and text == before else text
                    for text, before in zip(texts, above, strict=True)
                ]
                rows.append(row)
                above = texts
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        parts.append(f"## {family}\n\n{table}\n")
    return "\n".join(parts)


def _row(measure: Documented, known: Mapping[Hashable, float]) -> list[str]:
    """Return the cells of a measure."""
    declared = measure.declared
    needs = [need.replace("_", " ") for need in NEEDS if need in declared.needs]
    kernels = ["kernels"] if declared.sees == "kernels" else []
    seconds, *correlations = (known.get(column, float("nan")) for column in STATISTICS)
    tau, low, high, within = map(_correlation, correlations)
    slow = "slow" if declared.slow and measure.family != STAGED_FAMILY else ""
    return [
        f"`{measure.name}`",
        markdown(measure.equation),
        markdown(measure.source),
        "gap" if declared.estimates_gap else markdown(measure.scale or "linear"),
        declared.signs[measure.name],
        ", ".join(needs + kernels),
        ", ".join(filter(None, [_cost(seconds), slow])),
        tau,
        f"{low} to {high}" if low and high else "",
        within,
    ]


def _cost(seconds: float) -> str:
    if math.isnan(seconds):
        return ""
    return f"{seconds:.2g}" if seconds >= SHORTEST else f"&lt; {SHORTEST}"


def _correlation(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.2f}".replace("-", "−")


def markdown(text: str) -> str:
    """Escape the text of a docstring for a cell; code and formulas between dollars stay."""
    pieces = VERBATIM.split(ROLE.sub(r"``\1``", text))
    return "".join(
        piece.replace("``", "`").replace("|", r"\|") if position % 2 else _escaped(piece)
        for position, piece in enumerate(pieces)
    )


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_|\[\]])", r"\\\1", text).replace("<", "&lt;")


def measured(folder: Path) -> pd.DataFrame:
    """Collect what is measured of all measures, from the results of a task.

    Args:
        folder: the task's folder, evaluated with all families and with slow measures.

    Returns:
        Columns ``family``, ``measure`` and :data:`STATISTICS`, NaN where a measure has none.

    Raises:
        GengapError: the task has no values of some family.
    """
    tables = [pd.read_csv(folder / f"{name}.csv") for name in ("measures", "left_out_measures")]
    # The default task has no unlabelled inputs, so it leaves a family out.
    missing = sorted(set(FAMILIES).difference(*(table["family"] for table in tables)))
    if missing:
        raise GengapError(
            f"{folder} has no measures of the family '{missing[0]}': run it with "
            "'--config families=all slow=True' first."
        )
    correlations = pd.read_csv(folder / "evaluation" / "correlations.csv")
    kendall = correlations[correlations["statistic"] == "kendall"]
    everywhere = kendall["stratum"] == ALL
    overall = kendall[everywhere].set_index("measure")[["estimate", "low", "high"]]
    within = kendall[~everywhere].groupby("measure")["estimate"].mean()
    table = pd.DataFrame(costs(tasks.load(folder)))
    return table.join(overall.rename(columns={"estimate": "tau"}), on="measure").join(
        within.rename("within"), on="measure"
    )[["family", "measure", *STATISTICS]]


def costs(task: tasks.Task) -> Iterator[dict[str, str | float]]:
    """Yield the family, the name and the mean CPU seconds of every measure, NaN without a value."""
    torch.set_num_threads(1)
    networks = list(task.networks.values())
    timed = networks[:: -(-len(networks) // TIMED)]
    for family in FAMILIES:
        for function in dict.fromkeys(members(family).values()):
            staged = family == STAGED_FAMILY
            compute = computed_in_stages if staged else partial(_is_computed, function)
            cost = seconds(compute, task, timed)
            print(f"{family}: {declaration(function).names[0]}: {cost:.3g} CPU s", flush=True)
            for name in declaration(function).names:
                yield {"family": family, "measure": name, "cost": cost}


def seconds(
    compute: Callable[[Subject], bool], task: tasks.Task, networks: list[tasks.TrainedNetwork]
) -> float:
    """Return the mean CPU seconds of a function, after one call that is not timed.

    Networks that it cannot be computed for do not count; without any other the mean is NaN.
    """
    times = []
    for network in networks[:1] + networks:
        subject = Subject(
            network.network(),
            network.initial(),
            network.train(task.train),
            np.random.default_rng(0),
            history=network.history(),
            siblings=replicates(task, network),
        )
        start = time.process_time()
        times.append(time.process_time() - start if compute(subject) else math.nan)
    timed = [cost for cost in times[1:] if not math.isnan(cost)]
    return float(np.mean(timed)) if timed else math.nan


def replicates(task: tasks.Task, network: tasks.TrainedNetwork) -> tuple[nn.Module, ...]:
    """Return the task's other networks of the same hyper-parameters."""
    return tuple(
        other.network()
        for other in task.networks.values()
        if other.id != network.id
        and other.metrics.hyper_parameters == network.metrics.hyper_parameters
    )


def _is_computed(function: MeasureFunction, subject: Subject) -> bool:
    return bool(attempt(function, subject))


def computed_in_stages(subject: Subject) -> bool:
    """Compute the staged family as the workflow does by default."""
    settings = yaml.safe_load((ROOT / "config.yaml").read_text())
    drawing, topology = settings["activations"], settings["topology"]
    drawn = sample(
        subject.network,
        choose_inputs(subject.train, drawing["inputs"], subject.rng),
        neurons=drawing["neurons"],
        draws=drawing["draws"],
        rng=subject.rng,
    )
    diagrams = draw_diagrams(drawn, max_dim=topology["max_dim"])
    return not summarise(diagrams).empty


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, help="a task's results, all families")
    folder = parser.parse_args(arguments).folder
    try:
        if folder is not None:
            table = measured(folder)
            with writing(TABLE) as part:
                table.to_csv(part, index=False, float_format="%.4g")
        with writing(PAGE) as part:
            part.write_text(page(documented(), pd.read_csv(TABLE)))
    except GengapError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    logging.disable(logging.WARNING)  # what a network lacks is no news here
    main()
