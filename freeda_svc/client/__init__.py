"""A client of the HTTP API: jobs, banks and results of a server, with the library's own result objects.

It asks over the network only: no database, no broker, no models are needed where it runs.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.client.changes import JobChanges, watched_jobs
    from freeda_svc.client.client import Client
    from freeda_svc.client.connection import Connection
    from freeda_svc.client.downloads import RemoteImages, check_segments
    from freeda_svc.client.jobs import Jobs
    from freeda_svc.client.submissions import submit_captions, submit_images
    from freeda_svc.client.uploads import Upload

__all__ = [
    "Client",
    "Connection",
    "JobChanges",
    "Jobs",
    "RemoteImages",
    "Upload",
    "check_segments",
    "submit_captions",
    "submit_images",
    "watched_jobs",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.client.changes": ("JobChanges", "watched_jobs"),
        "freeda_svc.client.client": ("Client",),
        "freeda_svc.client.connection": ("Connection",),
        "freeda_svc.client.downloads": ("RemoteImages", "check_segments"),
        "freeda_svc.client.jobs": ("Jobs",),
        "freeda_svc.client.submissions": ("submit_captions", "submit_images"),
        "freeda_svc.client.uploads": ("Upload",),
    },
)
