"""A client of the HTTP API: jobs, banks and results of a server, with the library's own result objects.

It asks over the network only: no database, no broker, no models are needed where it runs.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.client.banks import Banks
    from freeda_svc.client.changes import JobChanges, watched_jobs
    from freeda_svc.client.client import Client
    from freeda_svc.client.connection import Connection
    from freeda_svc.client.downloads import RemoteImages, check_segments
    from freeda_svc.client.jobs import Jobs
    from freeda_svc.client.parts import parts_for, size_of
    from freeda_svc.client.submissions import (
        MarkedUpload,
        marked_parts,
        submit_captions,
        submit_images,
        submit_marked,
    )
    from freeda_svc.client.uploads import Upload
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
