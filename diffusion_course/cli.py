"""The command line. `diffusion-course --help` is its table of contents; `commands` has a file for each part of it."""

import sys

from .commands import networks, reading, teaching, writing
from .commands.program import app

PARTS = reading, networks, teaching, writing  # each adds its commands to the program when it is imported


def main() -> None:
    """The entry point of the `diffusion-course` script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal or file of an old encoding has no sigma
            stream.reconfigure(errors="backslashreplace")
    app()


if __name__ == "__main__":
    main()
