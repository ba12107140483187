"""Ask the service of this container whether it is well: exits with 0 when it is. Needs only Python.

health.py        # the worker: whether it takes items
health.py api    # the HTTP API: whether it answers; who wants to know whether there are workers asks /health/ready
"""

import json
import os
import sys
import urllib.error
import urllib.request

ANSWER_SECONDS = 3.0


def main() -> int:
    """Ask, and say in one line what is wrong if anything is."""
    if sys.argv[1:] == ["api"]:
        name, port, path = "the HTTP API", os.environ.get("FREEDA_API_PORT", "8470"), "/health/live"
    else:
        name, port, path = "the worker", os.environ.get("FREEDA_METRICS_PORT", "0"), "/health/ready"
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=ANSWER_SECONDS):
            return 0
    except urllib.error.HTTPError as error:
        sys.stderr.write(f"{name} is not ready: {_reason(error)}\n")
    except OSError as error:
        sys.stderr.write(f"{name} does not answer: {error}\n")
    return 1


def _reason(error: urllib.error.HTTPError) -> object:
    try:
        return json.load(error)["because"] or error
    except (ValueError, TypeError, KeyError, OSError):
        return error


if __name__ == "__main__":
    sys.exit(main())
