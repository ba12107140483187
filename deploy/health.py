"""Ask the worker of this container whether it takes items: exits with 0 when it does. Needs only Python."""

import json
import os
import sys
import urllib.error
import urllib.request

ANSWER_SECONDS = 3.0


def main() -> int:
    """Ask, and say in one line what is wrong if anything is."""
    address = f"http://127.0.0.1:{os.environ.get('FREEDA_METRICS_PORT', '0')}/health/ready"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS):
            return 0
    except urllib.error.HTTPError as error:
        try:
            reason = json.load(error)["because"] or error
        except (ValueError, TypeError, KeyError, OSError):
            reason = error
        sys.stderr.write(f"the worker takes no items: {reason}\n")
    except OSError as error:
        sys.stderr.write(f"the worker does not answer: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
