"""The function for CVAT, loaded as `cvat-cli` loads it and judged by the SDK's own types and decoder."""

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from freeda_svc.errors import FreedaError, InputError
from freeda_svc.library import Bank, open_bank
from freeda_svc.miniature import NOUNS
from freeda_svc.miniature.scenes import EASY, Scene, paint_scene

cvataa = pytest.importorskip("cvat_sdk.auto_annotation", reason="the extra cvat is not installed")

from cvat_sdk import models  # noqa: E402
from cvat_sdk.masks import decode_mask  # noqa: E402

from freeda_svc.annotation_tools import cvat  # noqa: E402

MODULE = "freeda_svc.annotation_tools.cvat"
LABELS = ", ".join(NOUNS)


@dataclass(frozen=True)
class Context(cvataa.DetectionFunctionContext):
    frame_name: str = "a.png"
    conf_threshold: float | None = None
    conv_mask_to_poly: bool = False


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of a bank that knows the things of a few pictures."""
    folder = tmp_path_factory.mktemp("bank") / "bank"
    opened: Bank = open_bank(folder)
    for number in range(8):
        painted = paint_scene((11, number), EASY)
        for noun in painted.nouns:
            opened.add_exemplar(noun, painted.image, painted.labels == NOUNS.index(noun))
    opened.close()
    return str(folder)


@pytest.fixture
def scene() -> Scene:
    return paint_scene((41, 0), EASY)


def loaded(**parameters: object) -> "cvataa.DetectionFunction":
    """The function as `cvat-cli ... --function-module` loads it."""
    common = pytest.importorskip("cvat_cli._internal.common", reason="cvat-cli is not installed")
    return common.FunctionLoader(MODULE, None, parameters).load()


def test_masks_are_what_the_sdks_decoder_reads(bank: str, scene: Scene) -> None:
    function = loaded(labels=LABELS, bank=bank)
    image = PIL.Image.fromarray(scene.image)
    shapes = function.detect(Context(), image)
    names = {label.id: label.name for label in function.spec.labels}
    height, width = scene.labels.shape
    found = {
        names[shape.label_id]: decode_mask(shape.points, image_width=width, image_height=height) for shape in shapes
    }
    assert {shape.type.value for shape in shapes} == {"mask"}
    assert np.count_nonzero(np.sum(list(found.values()), axis=0) > 1) == 0  # masks do not lie over each other
    largest = int(np.bincount(scene.labels.ravel()).argmax())
    truth = scene.labels == largest
    assert np.count_nonzero(found[NOUNS[largest]] & truth) / np.count_nonzero(found[NOUNS[largest]] | truth) > 0.5


def test_the_sdk_takes_every_annotation_for_a_task_of_these_labels(bank: str, scene: Scene) -> None:
    """The SDK's own mapping to the labels of a task, by name, with all its checks."""
    driver = pytest.importorskip("cvat_sdk.auto_annotation.driver", reason="the extra cvat is not installed")
    image = PIL.Image.fromarray(scene.image)
    for shape, by_polygons in (("mask", False), ("mask", True), ("polygon", False), ("rectangle", False)):
        function = loaded(labels=LABELS, bank=bank, shape=shape)
        kind = "polygon" if by_polygons else shape
        of_task = [
            models.Label._from_openapi_data(  # noqa: SLF001 - as cvat-sdk makes what a server sent
                id=100 + number, name=noun, type=kind, attributes=[], sublabels=[], has_parent=False
            )
            for number, noun in enumerate(NOUNS)
        ]
        mapper = driver._AnnotationMapper(  # noqa: SLF001 - what cvat-sdk does with a function's shapes
            logging.getLogger(),
            function.spec.labels,
            of_task,
            allow_unmatched_labels=False,
            spec_nm=driver._SpecNameMapping(),  # noqa: SLF001 - as above
            conv_mask_to_poly=by_polygons,
        )
        shapes = list(function.detect(Context(conv_mask_to_poly=by_polygons), image))
        assert shapes
        mapper.validate_and_remap(shapes, 7)
        assert {one.type.value for one in shapes} == {kind}
        assert all(one.label_id >= 100 and one.frame == 7 for one in shapes)


def test_pieces_thresholds_and_small_ones(bank: str, scene: Scene) -> None:
    image = PIL.Image.fromarray(scene.image)
    whole = loaded(labels=LABELS, bank=bank).detect(Context(), image)
    pieces = loaded(labels=LABELS, bank=bank, instances=True).detect(Context(), image)
    large = loaded(labels=LABELS, bank=bank, instances=True, least_area=300).detect(Context(), image)
    assert len(pieces) >= len(whole) >= len(large) > 0
    assert loaded(labels=LABELS, bank=bank).detect(Context(conf_threshold=1.0), image) == []


def test_labels_and_the_words_they_are_looked_for_by() -> None:
    read = cvat.read_labels("boat|ship, vessel=barge|ferry, sky")
    assert [(one.name, one.texts) for one in read] == [
        ("boat", ("boat", "ship")),
        ("vessel", ("barge", "ferry")),
        ("sky", ("sky",)),
    ]


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"labels": "sky"}, "say who segments"),
        ({"labels": "", "bank": "x"}, "categor"),
        ({"labels": "a=", "bank": "x"}, "not understood"),
        ({"labels": "sky", "bank": "./no-such-bank"}, "no-such-bank"),
        ({"labels": "sky", "bank": "x", "shape": "circle"}, "shape is 'circle'"),
        ({"labels": "sky", "bank": "x", "least_area": -1}, "least_area"),
        ({"labels": "sky", "bank": "x", "kay": 1}, "kay"),
    ],
)
def test_wrong_parameters_are_said_in_one_sentence(
    parameters: dict[str, object], reason: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(cvat.SERVER, raising=False)
    monkeypatch.setenv("FREEDA_HOME", str(tmp_path))
    with pytest.raises(FreedaError, match=reason):
        loaded(**parameters)


def test_without_the_sdk_the_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvat_sdk.auto_annotation", None)
    monkeypatch.delitem(sys.modules, MODULE)
    with pytest.raises(FreedaError, match=r"freeda-svc\[cvat\]"):
        __import__(MODULE)


def test_two_labels_of_one_name_are_refused() -> None:
    with pytest.raises(InputError, match="boat"):
        cvat.read_labels("boat|ship, boat")
