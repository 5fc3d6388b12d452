"""`python -m journeykit` is the `journeykit` command."""

from journeykit.cli import main

main()
