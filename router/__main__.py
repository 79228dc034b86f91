"""`python -m router` is `langfuse-router`."""

from router.cli.main import main

main()
