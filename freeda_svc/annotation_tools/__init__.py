"""What annotation tools exchange with freeda: labelling configurations, and marks in their formats.

``label_config`` and ``drawn_marks`` read what Label Studio sends; the routes are in ``freeda_svc/api``. ``cvat`` is a
module for ``cvat-cli --function-module``; it is imported by its own name, because it needs the extra ``cvat``.
"""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.annotation_tools.drawn_marks import DrawnMarks, read_marks
    from freeda_svc.annotation_tools.label_config import LabelledImage, read_label_config
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
