"""The view of a task as one HTML file that needs no server and no internet connection."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

from gengap.dashboard import content
from gengap.dashboard.view import View, read_view
from gengap.figures import measure_label
from gengap.files import writing

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
PLOTLY = ASSETS / "plotly-basic.min.js"
"""Plotly's own bundle of its basic charts, a quarter of the whole library."""
TEMPLATE = HERE / "page" / "page.html"
UNPACKING = HERE / "page" / "static.js"
MOST_BARS = 600
"""Most bars of one dimension of one network, so that the file of a hundred networks is small."""
MOST_BARS_IN_ALL = 120_000
"""Of many networks, each has an equal part of these many bars of one dimension."""
LEAST_BARS = 50
"""Each network keeps as many, if it has them."""
SIGNIFICANT_DIGITS = 5
"""Numbers are rounded to these many digits in the file; the task's tables have them all."""
# The browser refuses every request, even to the server that the file may lie on.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)


def static_page(task_folder: str | Path) -> str:
    """Return the page as HTML; the same task folder gives the same text.

    Vectors with more than ``content.MOST_LISTED`` components can be chosen in the Dash app alone;
    the page says so.

    Returns:
        The whole page, with its data, style and scripts.

    Raises:
        GengapError: the folder is missing, not finished, or contradicts itself.
    """
    view = read_view(task_folder)
    style = (ASSETS / "style.css").read_text(encoding="utf-8")
    data = json.dumps(rounded(_data(view)), allow_nan=False, separators=(",", ":"))
    code = [path.read_bytes() for path in (PLOTLY, ASSETS / "view.js", ASSETS / "page.js")]
    head = [
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<style>\n{style}</style>",
    ]
    end = [
        f'<script id="code" type="text/plain">{_packed(b";".join(code))}</script>',
        f'<script id="data" type="text/plain">{_packed(data.encode())}</script>',
        f"<script>\n{UNPACKING.read_text(encoding='utf-8')}</script>",
    ]
    return filled_template(view.name, "\n".join(head), "\n".join(end))


def write_static_page(task_folder: str | Path, path: str | Path) -> None:
    """Write ``static_page`` to a file."""
    text = static_page(task_folder)
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def filled_template(title: str, head: str, end: str) -> str:
    """Return the markup of both pages.

    Args:
        title: the task's name.
        head: what ends the head: the style and the policy.
        end: what ends the body: the scripts.
    """
    parts = {"TITLE": html.escape(title), "HEAD": head, "END": end}
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub("@@([A-Z]+)@@", lambda match: parts[match[1]], template)


def page_data(page: str) -> dict[str, Any]:
    """Read the data of a static page.

    Args:
        page: the HTML that ``static_page`` returned.

    Returns:
        ``page``, ``distinct`` (columns of measures, none of them twice), ``columns`` (by measure,
        where each component is in ``distinct``), ``large`` and ``networks``.
    """
    packed = page.partition('<script id="data" type="text/plain">')[2].partition("<")[0]
    data: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(packed)))
    return data


def rounded(value: Any) -> Any:
    """Round all floats of JSON-ready data to ``SIGNIFICANT_DIGITS``."""
    if isinstance(value, float):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(entry) for entry in value]
    return value


def _packed(code: bytes) -> str:
    """Compress; without a time, so that the same bytes give the same text."""
    return base64.b64encode(gzip.compress(code, 9, mtime=0)).decode("ascii")


def _data(view: View) -> content.Content:
    page = content.page(view)
    large = [
        name
        for name, design in view.measures.items()
        if len(design.components) > content.MOST_LISTED
    ]
    labels = ", ".join(map(measure_label, large))
    sentence = f"Measures with more than {content.MOST_LISTED} components can be chosen in the"
    page["notes"] += [f"{sentence} dashboard that has a server: {labels}."] * bool(large)
    page["measure_options"] = [
        option for option in page["measure_options"] if option["value"] not in large
    ]
    page["board"] = [
        {**row, "measure": None if row["measure"] in large else row["measure"]}
        for row in page["board"]
    ]
    page["measures"] = {
        name: measure for name, measure in page["measures"].items() if name not in large
    }
    distinct: dict[str, tuple[int, content.Content]] = {}
    most_bars = max(LEAST_BARS, min(MOST_BARS, MOST_BARS_IN_ALL // max(1, len(view.drawn))))
    columns = {
        name: [_place(distinct, content.column(view, name, part)) for part in measure["components"]]
        for name, measure in page["measures"].items()
    }
    return {
        "page": page,
        "distinct": [column for _, column in distinct.values()],
        "columns": columns,
        # The same for every network, since they are given without values.
        "large": [
            content.measure_of(view.measures[name], view.measures[name].values[0]) for name in large
        ],
        "networks": {name: content.network(view, name, most_bars) for name in view.drawn},
    }


def _place(distinct: dict[str, tuple[int, content.Content]], column: content.Content) -> int:
    """Return the position of a column among those that differ, to which it is added if need be."""
    return distinct.setdefault(json.dumps(column), (len(distinct), column))[0]
