"""Claims as pages: one of a study, one of all studies, and a small plot of each claim."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gengap.figures.style import BLACK, GREY, PALE, PALETTE, new_figure, save, styled
from gengap.names import UNDECIDED, VERDICTS
from gengap.studies.claims import (
    LEVEL,
    Bound,
    Claim,
    corrected,
    word_after_correction,
)
from gengap.studies.estimates import Estimate, format_interval, mean_and_interval

COLUMNS = [
    *("setting", "claim", "paper", "measured", "published", "strip"),
    *("verdict", "explained", "p", "together", "seeds_to_decide"),
    *("estimate", "role", "bound", "kind", "seeds", "mean", "low", "high", "shown"),
]

STRIPS = "claims"
"""The folder of the small plots, beside the page that shows them."""

RULE = """\
A claim has parts. Each part is a number with one value per {0}, and a bound. The claim expects the
mean on one side of the bound.

- **agrees**: the 95% intervals of all parts lie on the expected side.
- **disagrees**: the 95% intervals of all parts lie on the other side.
- **mixed**: some parts lie on the expected side and some on the other. These intervals are wider,
  so that all hold together at 95%.
- **undecided**: none of these, or the verdict changes when a single {0} is left out. The page gives
  the number of {0}s that would decide at the observed effect.
- **none seen**: nothing is decided, and all values are zero.
- **premise fails**: the claim presupposes something that an interval does not show. A claim on how
  solutions generalise presupposes that they do so differently.

Intervals are Student's t over {0}s. Those of correlations use Fisher's z. Those of numbers of
{0}s are exact. All stay inside their bounds. One {0} alone has none, and neither have equal
values. Equal values decide by the sign test.

The column "together" has the verdict that remains when all claims of the study are tested together
(Holm 1979). It is empty where that is the same one.
"""

PLOTS = """\
In each plot a row is a part. The line is its bound, and the expected side is shaded. Dots are
{0}s, and the bar is the 95% interval. Blue is on the expected side, orange on the other. A square
marks a premise.
"""

WIDTH, ROW, MARGIN = 1.7, 0.13, 0.06  # inches
EDGE = 1.08
"""Half of the width of a plot, where the value that is furthest from its bound is at 1."""


def strip_name(study: str, claim: Claim) -> str:
    """Return the file name of a claim's plot; those of all studies differ."""
    words = re.sub(r"[^a-z0-9]+", "-", claim.title.lower()).strip("-")
    return f"{study}-{words}.svg"


def write_strips(study: str, claims: Sequence[Claim], folder: Path) -> None:
    """Write the plot of each claim into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for claim in claims:
        save(plot_strip(claim), folder / strip_name(study, claim))


@styled
def plot_strip(claim: Claim) -> Figure:
    """Plot the parts and the premises of a claim, each against its bound and on its own scale.

    Returns:
        A figure without text, a row of it for each.
    """
    rows = [*claim.parts.items(), *claim.premises.items()]
    figure = new_figure(WIDTH, ROW * len(rows) + MARGIN)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.set(xlim=(-EDGE, EDGE), ylim=(len(rows) - 0.4, -0.6))
    axes.axvline(0, color=BLACK, linewidth=0.8)
    for place, (name, bound) in enumerate(rows):
        _plot_row(axes, place, claim.estimates[name], bound, premise=place >= len(claim.parts))
    return figure


def _plot_row(axes: Axes, place: int, estimate: Estimate, bound: Bound, *, premise: bool) -> None:
    left = -EDGE if bound.side != "above" else 0
    right = EDGE if bound.side != "below" else 0
    axes.fill_betweenx([place - 0.42, place + 0.42], left, right, color=PALE, linewidth=0)
    values = np.asarray(estimate.values, dtype=float)
    values = values[np.isfinite(values)] - bound.limit
    ends = np.array(estimate.interval()) - bound.limit
    finite = np.concatenate([values, ends[np.isfinite(ends)]])
    reach = float(np.abs(finite).max(initial=0.0)) or 1.0
    towards, against = bound.evidence(estimate)
    colour = PALETTE[0] if towards <= LEVEL else PALETTE[1] if against <= LEVEL else GREY
    axes.plot(values / reach, np.full(len(values), place + 0.2), ".", color=GREY, markersize=1.8)
    if np.isfinite(ends).all():
        axes.plot(ends[1:] / reach, [place, place], color=colour, linewidth=1.6)
    if math.isfinite(ends[0]):
        mark = "s" if premise else "o"
        axes.plot(ends[0] / reach, place, mark, color=colour, markersize=3.2)


def claims_page(
    study: str,
    setting: str,
    claims: Sequence[Claim],
    unjudged: Sequence[str] = (),
    *,
    judging: str | None = None,
    note: str = "",
) -> str:
    """Return the page of a study's claims in Markdown: a table of a row a claim, and details.

    Args:
        study: its name.
        setting: the setting that was run.
        claims: in the order of the page, all of one unit.
        unjudged: the experiments on which no claim bears.
        judging: the setting whose verdicts count, if it is another one.
        note: what the reader must know beforehand.
    """
    unit = claims[0].unit if claims else "seed"
    command = f"`snakemake {study} --config setting={setting}`"
    judged = (
        f"The setting `{judging}` judges, on {unit}s of its own. This page shows what `{setting}` "
        "gives beside it."
        if judging and judging != setting
        else f"The setting `{setting}` judges, on its {unit}s alone."
    )
    lines = [f"# {study}: the paper's claims, and what was measured", ""]
    lines += [f"Written by {command}. {judged}", ""]
    lines += [note, ""] * bool(note)
    lines += _row("claim", "paper", "published", "measured", "verdict", "together", "plot")
    lines += ["|---" * 7 + "|"]
    adjusted = corrected([claim.verdict for claim in claims])
    for number, (claim, p) in enumerate(zip(claims, adjusted, strict=True), start=1):
        lines += _row(
            f"{number}. {claim.title}",
            claim.paper,
            _published(claim),
            "<br>".join(
                f"{name}: {format_interval(claim.estimates[name], claim.unit)}"
                for name in claim.parts
            ),
            claim.verdict.explained,
            _together(claim.verdict.word, word_after_correction(claim.verdict, p)),
            f"![{claim.verdict.word}]({STRIPS}/{strip_name(study, claim)})",
        )
    rule = ["", PLOTS, "## The rule of the verdicts", "", RULE]
    lines += [text.format(unit) for text in rule]
    for number, (claim, p) in enumerate(zip(claims, adjusted, strict=True), start=1):
        lines += _details(number, claim, p)
    if unjudged:
        names = ", ".join(f"`{name}`" for name in unjudged)
        lines += [f"No claim of the paper is judged by these experiments: {names}.", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def claims_table(study: str, setting: str, claims: Sequence[Claim]) -> pd.DataFrame:
    """Return one row per estimate of each claim, with the columns of :data:`COLUMNS`.

    Args:
        study: its name.
        setting: the setting that was run.
        claims: in the order of the page.

    Returns:
        The table. An estimate's ``role`` is ``decides``, ``premise`` or empty. Ends of an interval
        that there is not are missing; ``shown`` says why.
    """
    adjusted = corrected([claim.verdict for claim in claims])
    rows = []
    for claim, p in zip(claims, adjusted, strict=True):
        verdict = claim.verdict
        shared = (
            *(setting, claim.title, claim.paper, claim.measured, _published(claim)),
            *(strip_name(study, claim), verdict.word, verdict.explained, verdict.p),
            *(word_after_correction(verdict, p), verdict.seeds),
        )
        for name, estimate in claim.estimates.items():
            ends = [end if math.isfinite(end) else math.nan for end in estimate.interval()]
            own = (name, *_role(claim, name), estimate.kind.value, len(estimate.values), *ends)
            rows.append((*shared, *own, format_interval(estimate, claim.unit)))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"seeds_to_decide": "Int64"})


def _role(claim: Claim, name: str) -> tuple[str, str]:
    """What an estimate is for, and its bound."""
    if name in claim.parts:
        return "decides", str(claim.parts[name])
    if name in claim.premises:
        return "premise", str(claim.premises[name])
    return "", ""


def _row(*cells: str) -> list[str]:
    escaped = [cell.replace("|", r"\|").replace("\n", " ") for cell in cells]
    return [f"| {' | '.join(escaped)} |"]


def _published(claim: Claim) -> str:
    published = claim.published
    if published is None:
        return ""
    comparable = "comparable" if published.comparable else "not comparable"
    return f"{published.number} ({published.place}; {comparable})"


def _together(word: str, after: str) -> str:
    return "" if after == word else after


def _details(number: int, claim: Claim, p: float) -> list[str]:
    verdict = claim.verdict
    lines = [f"## {number}. {claim.title}", "", f"*Paper:* {claim.paper}", ""]
    lines += [f"*Measured:* {claim.measured}", ""]
    lines += [f"**{verdict.explained}** (p = {verdict.p:.2g}; {p:.2g} with all claims)", ""]
    lines += _row("estimate", "expected", f"{claim.unit}s", "mean", "95% interval")
    lines += ["|---" * 5 + "|"]
    for name, estimate in claim.estimates.items():
        mean, spread = mean_and_interval(estimate, claim.unit)
        role, bound = _role(claim, name)
        expected = f"premise: {bound}" if role == "premise" else bound
        lines += _row(name, expected, str(len(estimate.values)), mean, spread)
    return [*lines, ""]


def overview(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return the page of the claims of all studies in Markdown.

    Args:
        tables: by study, what :func:`gengap.studies.claims.claims_table` wrote.
    """
    lines = ["# The claims of all papers", ""]
    lines += ["Written by `make claims-tables` from the tables in `claims/`.", ""]
    lines += [counts(tables), "", PLOTS.format("seed")]
    lines += [
        "Where a verdict speaks of networks, each value belongs to a network, not to a seed.",
        "",
    ]
    lines += _row("study", "claim", "published", "measured", "verdict", "together", "plot")
    lines += ["|---" * 7 + "|"]
    for study, table in tables.items():
        for title, rows in table.groupby("claim", sort=False):
            row = rows.iloc[0]
            parts = rows[rows["role"] == "decides"]
            lines += _row(
                f"[{study}]({study}.claims.md)",
                str(title),
                "" if pd.isna(row["published"]) else str(row["published"]),
                "<br>".join(parts["estimate"] + ": " + parts["shown"]),
                row["explained"],
                _together(row["verdict"], row["together"]),
                f"![{row['verdict']}]({STRIPS}/{row['strip']})",
            )
    lines += ["", "## The rule of the verdicts", "", RULE.format("seed")]
    return "\n".join(lines)


def counts(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return how many claims of each study have which verdict, as a table in Markdown."""
    lines = _row("study", "setting", "claims", *VERDICTS, "undecided together")
    lines += ["|---" * (4 + len(VERDICTS)) + "|"]
    for study, table in tables.items():
        claims = table.drop_duplicates("claim")
        together = (claims["together"] == UNDECIDED).sum()
        numbers = [(claims["verdict"] == word).sum() for word in VERDICTS]
        setting = f"`{claims['setting'].iloc[0]}`" if len(claims) else ""
        lines += _row(study, setting, *map(str, [len(claims), *numbers, together]))
    return "\n".join(lines)
