"""``python -m gengap.dashboard results/<task>``: the dashboard of a finished task."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path

from gengap.dashboard.static import write_static_page
from gengap.dashboard.view import read_view
from gengap.errors import GengapError

PORT = 8051
HOST = "127.0.0.1"


def main(arguments: list[str] | None = None) -> None:
    """Serve the dashboard until it is interrupted, or write it to one file."""
    parser = argparse.ArgumentParser(
        prog="python -m gengap.dashboard",
        description="Look into a finished task: its measures, the gap, persistence diagrams.",
    )
    parser.add_argument("folder", type=Path, help="results/<task>")
    parser.add_argument("--host", default=HOST, help=f"address to listen on ({HOST})")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on ({PORT})")
    parser.add_argument(
        "--static", type=Path, metavar="FILE", help="write one HTML file instead of serving"
    )
    chosen = parser.parse_args(arguments)
    try:
        if chosen.static is not None:
            write_static_page(chosen.folder, chosen.static)
        else:
            serve(chosen.folder, chosen.host, chosen.port)
    except GengapError as error:
        sys.exit(f"error: {error}")
    except ModuleNotFoundError as error:
        sys.exit(f"error: The dashboard needs {error.name}: install the extra gengap[dashboard].")


def serve(folder: Path, host: str, port: int) -> None:
    """Serve until interrupted; the address is printed once it can be reached."""
    view = read_view(folder)
    # The file needs no server's libraries, so they are imported where one is asked for.
    from gengap.dashboard.app import make_dashboard_server

    server = make_dashboard_server(view, host, port)
    shown = f"[{host}]" if ":" in host else host
    print(f"{view.name}: http://{shown}:{server.port}/ (stop with Ctrl-C)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
