import pytest

from freeda_svc.errors import NotFoundError
from freeda_svc.evaluation import PROTOCOLS, load_protocol
from freeda_svc.packs import read_pack_parameters
from freeda_svc.parameters import SuperpixelParameters
from freeda_svc.vocabularies import list_vocabularies, load_vocabulary

GIVEN = read_pack_parameters("miniature").parameters.segmentation
FELZENSZWALB = {
    "voc20": (100.0, 0.7, 20),
    "voc21": (100.0, 0.7, 20),
    "context59": (100.0, 1.0, 20),
    "context60": (100.0, 1.0, 20),
    "coco-stuff171": (100.0, 1.0, 100),
    "coco-object80": (100.0, 1.0, 100),
    "coco-object81": (100.0, 1.0, 100),
    "cityscapes19": (20.0, 0.5, 50),
    "ade150": (100.0, 1.0, 20),
}


def test_every_vocabulary_has_its_protocol() -> None:
    assert list(PROTOCOLS) == list(list_vocabularies())
    assert all(protocol.vocabulary == name for name, protocol in PROTOCOLS.items())


@pytest.mark.parametrize("name", FELZENSZWALB)
def test_images_are_seen_as_in_the_paper(name: str) -> None:
    given = GIVEN.replace(superpixels=GIVEN.superpixels.replace(algorithm="slic"))
    parameters = load_protocol(name).parameters(given)
    scales = (parameters.short_side, parameters.long_side, parameters.window, parameters.stride)
    assert scales == (448, 2048, 448, 224)
    assert parameters.k == 350
    assert parameters.beta == (0.7 if name.startswith("voc") else 0.8)
    assert parameters.superpixels == SuperpixelParameters(
        algorithm="felzenszwalb", **dict(zip(("scale", "sigma", "min_size"), FELZENSZWALB[name], strict=True))
    )
    assert parameters.refinement.way == "none"


@pytest.mark.parametrize("name", FELZENSZWALB)
def test_the_background_is_what_no_final_score_reaches(name: str) -> None:
    unknown = load_protocol(name).parameters(GIVEN).unknown
    assert unknown.way == ("channel" if load_vocabulary(name).background else "none")
    assert unknown.threshold == 0.4


def test_a_dataset_that_is_not_there_is_answered_with_all_that_are() -> None:
    with pytest.raises(NotFoundError, match=r"no dataset 'voc'; there are voc20, .*, ade150"):
        load_protocol("voc")
