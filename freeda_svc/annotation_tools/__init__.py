"""What annotation tools exchange with freeda: labelling configurations, and marks in their formats.

``label_config`` and ``drawn_marks`` read what Label Studio sends; the routes are in ``freeda_svc/api``. ``cvat`` is a
module for ``cvat-cli --function-module``; it is imported by its own name, because it needs the extra ``cvat``.
"""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.annotation_tools.drawn_marks import DrawnMarks, read_marks
    from freeda_svc.annotation_tools.label_config import LabelledImage, read_label_config

__all__ = ["DrawnMarks", "LabelledImage", "read_label_config", "read_marks"]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.annotation_tools.drawn_marks": ("DrawnMarks", "read_marks"),
        "freeda_svc.annotation_tools.label_config": ("LabelledImage", "read_label_config"),
    },
)
