"""The HTTP API: what the command line does with jobs and banks, for browsers, scripts and other machines.

It takes no models and opens no bank: like the command line it writes jobs and asks the worker. So several may run
behind a balancer; the database is the truth.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.api.access import check_access
    from freeda_svc.api.application import make_application
    from freeda_svc.api.beside import api_beside
    from freeda_svc.api.server import serve_api

__all__ = ["make_application", "serve_api", "api_beside", "check_access"]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.api.access": ("check_access",),
        "freeda_svc.api.application": ("make_application",),
        "freeda_svc.api.beside": ("api_beside",),
        "freeda_svc.api.server": ("serve_api",),
    },
)
