"""The HTTP API: what the command line does with jobs and banks, for browsers, scripts and other machines.

It takes no models and opens no bank: like the command line it writes jobs and asks the worker. So several may run
behind a balancer; the database is the truth.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.api.access import check_access
    from freeda_svc.api.application import make_application
    from freeda_svc.api.beside import api_beside
    from freeda_svc.api.server import serve_api
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
