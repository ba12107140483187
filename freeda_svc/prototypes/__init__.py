"""Prototypes and their keys, from captions.

Only the record is shown here, for it is needed where no model is: ``builder``, ``keys`` and ``pooling`` bring torch
with them and are imported by their own names.
"""

from freeda_svc.prototypes.record import Prototype

__all__ = ["Prototype"]
