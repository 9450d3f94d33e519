"""``gengap dashboard results/<task>``: the dashboard of a finished task."""

from __future__ import annotations

import contextlib
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gengap.cli.command import Command
from gengap.cli.progress import working
from gengap.errors import GengapError

PORT = 8051
HOST = "127.0.0.1"

EXAMPLES = """\
gengap dashboard results/digits
gengap dashboard results/digits --port 8052
gengap dashboard results/digits --static digits.html"""


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of ``gengap dashboard``."""
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="results/<task>")
    parser.add_argument("--host", default=HOST, help=f"address to listen on ({HOST})")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on ({PORT})")
    parser.add_argument(
        "--static", type=Path, metavar="FILE", help="write one HTML file instead of serving"
    )


def run(options: Namespace) -> None:
    """Serve the dashboard until it is interrupted, or write it to one file."""
    from gengap.dashboard import write_static_page

    if options.static is not None:
        with working("writing the page"):
            write_static_page(options.folder, options.static)
    else:
        serve(options.folder, options.host, options.port)


def serve(folder: Path, host: str, port: int) -> None:
    """Serve until interrupted; the address is printed once it can be reached.

    Args:
        folder: the folder of a finished task.
        host: address to listen on.
        port: port to listen on.

    Raises:
        GengapError: the folder holds no finished task, the address cannot be had, or Dash is not
            installed.
    """
    from gengap.dashboard import read_view

    view = read_view(folder)
    try:
        from gengap.dashboard.app import make_dashboard_server
    except ModuleNotFoundError as error:
        raise GengapError(
            f"The dashboard needs {error.name}: install the extra gengap[dashboard]."
        ) from error
    server = make_dashboard_server(view, host, port)
    shown = f"[{host}]" if ":" in host else host
    print(f"{view.name}: http://{shown}:{server.port}/ (stop with Ctrl-C)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


COMMAND = Command(
    "dashboard",
    "look into a finished task: its measures, the gap, persistence diagrams",
    EXAMPLES,
    add_arguments,
    run,
)
