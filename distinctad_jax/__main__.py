"""`distinctad COMMAND ...`, or `python -m distinctad_jax COMMAND ...`; training has its own entry, `main`."""

import sys

from distinctad_jax.commands.book import main


def distinctad() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    distinctad()
