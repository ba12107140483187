"""The API as a process of its own, with the settings of the environment; `freeda up` starts it."""

import argparse
import sys

from freeda_svc.api.server import serve_api
from freeda_svc.errors import FreedaError, one_line
from freeda_svc.settings import load_settings
from freeda_svc.workers.logs import configure_logs
from freeda_svc.workers.parents import stop_with_parent


def main() -> int:
    """Run until told to stop; an expected error is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m freeda_svc.api", description=__doc__)
    parser.add_argument("--belongs-to", type=int, help="process to stop with")
    arguments = parser.parse_args()
    try:
        settings = load_settings()
        configure_logs(settings)
        if arguments.belongs_to is not None:
            stop_with_parent(arguments.belongs_to)
        serve_api(settings)
    except FreedaError as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
