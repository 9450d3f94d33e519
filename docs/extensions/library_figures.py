"""Figures of the library on the pages of examples: matplotlib's state does not know of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst


def scrape(block: Any, block_vars: dict[str, Any], gallery_conf: Mapping[str, Any]) -> str:
    """Save the figure that a block of an example named ``figure``.

    Args:
        block: the block's kind, text and line.
        block_vars: the variables of the example, and where its images go.
        gallery_conf: the gallery's settings.

    Returns:
        What shows the image; empty where the block made no figure of the library.
    """
    figure = block_vars["example_globals"].get("figure")
    known = block_vars.setdefault("library_figures", [])
    # Figures of pyplot have a number, and matplotlib's own scraper shows them.
    if not isinstance(figure, Figure) or hasattr(figure, "number") or figure in known:
        return ""
    known.append(figure)
    path = next(block_vars["image_path_iterator"])
    figure.savefig(path, dpi=160)
    return str(figure_rst([path], gallery_conf["src_dir"]))
