"""The function for CVAT, with a server."""

from dataclasses import dataclass

import numpy as np
import PIL.Image
import pytest

from freeda_svc.errors import InputError
from freeda_svc.miniature import NOUNS
from freeda_svc.miniature.scenes import EASY, paint_scene
from tests.api.conftest import Service

cvataa = pytest.importorskip("cvat_sdk.auto_annotation", reason="the extra cvat is not installed")

from cvat_sdk.masks import decode_mask  # noqa: E402

from freeda_svc.annotation_tools import cvat  # noqa: E402

pytestmark = pytest.mark.end_to_end


@dataclass(frozen=True)
class Context(cvataa.DetectionFunctionContext):
    frame_name: str = "a.png"
    conf_threshold: float | None = None
    conv_mask_to_poly: bool = False


def test_a_server_segments_for_cvat(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cvat.SERVER, service.address)
    painted = paint_scene((41, 0), EASY)
    function = cvat.create(", ".join(NOUNS), background="road, wall")
    shapes = function.detect(Context(), PIL.Image.fromarray(painted.image))
    found = {NOUNS[shape.label_id]: decode_mask(shape.points, image_width=64, image_height=64) for shape in shapes}
    largest = int(np.bincount(painted.labels.ravel()).argmax())
    truth, mask = painted.labels == largest, found[NOUNS[largest]]
    assert np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth) > 0.5


def test_what_the_server_refuses_is_said_in_its_words(service: Service) -> None:
    function = cvat.create("sky", server=service.address, bank="no-such-bank")
    with pytest.raises(Exception, match="no-such-bank"):
        function.detect(Context(), PIL.Image.new("RGB", (8, 8)))
    with pytest.raises(InputError, match="k is 0"):
        cvat.create("sky", server=service.address, k=0)
