"""The home's broker and worker as a process of their own, with the settings of the environment."""

import argparse
import sys

from freeda_svc.errors import FreedaError, one_line
from freeda_svc.settings import load_settings
from freeda_svc.workers.supervisor import run_stack


def main() -> int:
    """Run until asked to stop; an expected error is one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m freeda_svc.workers", description=__doc__)
    parser.add_argument("--belongs-to", type=int, help="process to stop with")
    parser.add_argument("--queue", action="append", default=[], help="what to serve, instead of all; may be repeated")
    arguments = parser.parse_args()
    try:
        run_stack(load_settings(), queues=arguments.queue, belongs_to=arguments.belongs_to)
    except FreedaError as error:
        sys.stderr.write(f"{one_line(error)}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
