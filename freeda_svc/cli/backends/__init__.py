"""What commands ask of jobs and banks: of this machine's own installation, or of a server.

A command opens one backend and asks it alone, so that it does the same in both places. Files are read, checked and
written here in either case.
"""

from freeda_svc.cli.backends.choice import open_backend
from freeda_svc.cli.backends.protocol import AskedSegmentation, Backend, Changes, CheckedSegmentation
from freeda_svc.cli.backends.request_names import name_of_part

__all__ = ["AskedSegmentation", "Backend", "Changes", "CheckedSegmentation", "name_of_part", "open_backend"]
