"""``python -m gengap``: the command line, as the installed script ``gengap`` runs it."""

import sys

from gengap.cli import main

if __name__ == "__main__":
    sys.exit(main())
