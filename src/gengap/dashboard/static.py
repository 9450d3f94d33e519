"""The view of a task as one HTML file that needs no server and no internet connection."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from gengap.dashboard import content
from gengap.dashboard.view import View, read_view
from gengap.figures import measure_label
from gengap.files import writing

HERE = Path(__file__).parent
ASSETS = HERE / "assets"
TEMPLATE = HERE / "page" / "page.html"
CHOOSERS = HERE / "page" / "page.js"
MOST_BARS = 600
"""Most bars of one dimension of one network, so that the file of a hundred networks is small."""


def static_page(task_folder: str | Path) -> str:
    """Return the page as HTML; the same task folder gives the same text.

    Vectors with more than ``content.MOST_LISTED`` components can be chosen in the Dash app alone;
    the page says so.

    Returns:
        The whole page, with its data, style and scripts.

    Raises:
        GengapError: the folder is missing, not finished, or contradicts itself.
    """
    # Dash has its own copy, so the package is needed only here.
    from plotly.offline import get_plotlyjs

    view = read_view(task_folder)
    parts = {
        "TITLE": html.escape(view.name),
        "STYLE": (ASSETS / "style.css").read_text(encoding="utf-8"),
        "PLOTLY": get_plotlyjs(),
        # "<" could end the script element from within a string.
        "DATA": json.dumps(_data(view), allow_nan=False).replace("<", "\\u003c"),
        "VIEW": (ASSETS / "view.js").read_text(encoding="utf-8"),
        "CHOOSERS": CHOOSERS.read_text(encoding="utf-8"),
    }
    template = TEMPLATE.read_text(encoding="utf-8")
    return re.sub("@@([A-Z]+)@@", lambda match: parts[match[1]], template)


def write_static_page(task_folder: str | Path, path: str | Path) -> None:
    """Write ``static_page`` to a file."""
    text = static_page(task_folder)
    with writing(path) as part:
        part.write_text(text, encoding="utf-8")


def _data(view: View) -> content.Content:
    page = content.page(view)
    large = [name for name, parts in page["measures"].items() if len(parts) > content.MOST_LISTED]
    for name in large:
        del page["measures"][name]
    page["measure_options"] = [
        option for option in page["measure_options"] if option["value"] in page["measures"]
    ]
    if large:
        page["notes"].append(
            f"Measures with more than {content.MOST_LISTED} components can be chosen in the "
            f"dashboard that has a server: {', '.join(map(measure_label, large))}."
        )
    return {
        "page": page,
        "columns": {
            name: {part: content.column(view, name, part) for part in parts}
            for name, parts in page["measures"].items()
        },
        "networks": {name: content.network(view, name, MOST_BARS) for name in view.networks.index},
    }
