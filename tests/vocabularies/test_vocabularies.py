import numpy as np
import pytest

from freeda_svc.errors import NotFoundError
from freeda_svc.segmentation import check_categories
from freeda_svc.vocabularies import list_vocabularies, load_vocabulary, voc_colours

SIZES = {
    "voc20": 20,
    "voc21": 21,
    "context59": 59,
    "context60": 60,
    "coco-stuff171": 171,
    "coco-object80": 80,
    "coco-object81": 81,
    "cityscapes19": 19,
    "ade150": 150,
}


def test_all_are_listed_with_a_title() -> None:
    listed = list_vocabularies()
    assert list(listed) == list(SIZES)
    assert all(listed.values())


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_there_are_as_many_classes_as_the_name_says(name: str, size: int) -> None:
    vocabulary = load_vocabulary(name)
    assert vocabulary.name == name
    assert vocabulary.title == list_vocabularies()[name]
    assert len(vocabulary.names) == len(vocabulary.texts) == size
    assert vocabulary.colours.shape == (size, 3)
    assert vocabulary.colours.dtype == np.uint8
    assert vocabulary.ignore == 255


@pytest.mark.parametrize("name", SIZES)
def test_classes_can_be_distinguished(name: str) -> None:
    vocabulary = load_vocabulary(name)
    assert len(set(vocabulary.names)) == len(set(vocabulary.texts)) == len(vocabulary.names)
    assert all(text == text.strip() != "" for text in (*vocabulary.names, *vocabulary.texts))
    assert check_categories(vocabulary.categories) == vocabulary.categories


@pytest.mark.parametrize("name", SIZES)
def test_the_background_comes_first_or_not_at_all(name: str) -> None:
    vocabulary = load_vocabulary(name)
    assert vocabulary.background == (name in {"voc21", "context60", "coco-object81"})
    assert [number for number, entry in enumerate(vocabulary.names) if entry == "background"] == [0] * (
        vocabulary.background
    )


@pytest.mark.parametrize(
    ("without", "with_background"), [("voc20", "voc21"), ("context59", "context60"), ("coco-object80", "coco-object81")]
)
def test_the_background_moves_the_other_classes_by_one(without: str, with_background: str) -> None:
    less, more = load_vocabulary(without), load_vocabulary(with_background)
    assert less.names == more.names[1:]
    assert less.texts == more.texts[1:]
    assert np.array_equal(less.colours, more.colours[1:])


@pytest.mark.parametrize(
    ("name", "label", "expected", "colour"),
    [
        ("voc21", 0, "background", (0, 0, 0)),
        ("voc21", 1, "aeroplane", (128, 0, 0)),
        ("voc21", 15, "person", (192, 128, 128)),
        ("voc21", 20, "tvmonitor", (0, 64, 128)),
        ("voc20", 0, "aeroplane", (128, 0, 0)),
        ("context60", 1, "aeroplane", (180, 120, 120)),
        ("context59", 0, "aeroplane", (180, 120, 120)),
        ("context59", 1, "bag", (6, 230, 230)),
        ("context59", 36, "person", (102, 8, 255)),
        ("context59", 58, "wood", (31, 0, 255)),
        ("coco-stuff171", 0, "person", (0, 192, 64)),
        ("coco-stuff171", 79, "toothbrush", (192, 160, 0)),
        ("coco-stuff171", 80, "banner", (0, 192, 0)),
        ("coco-stuff171", 159, "wall-brick", (128, 64, 160)),
        ("coco-stuff171", 170, "wood", (64, 64, 0)),
        ("coco-object81", 0, "background", (0, 0, 0)),
        ("coco-object80", 79, "toothbrush", (192, 160, 0)),
        ("cityscapes19", 0, "road", (128, 64, 128)),
        ("cityscapes19", 13, "car", (0, 0, 142)),
        ("cityscapes19", 18, "bicycle", (119, 11, 32)),
        ("ade150", 0, "wall", (120, 120, 120)),
        ("ade150", 12, "person", (150, 5, 61)),
        ("ade150", 149, "flag", (92, 0, 255)),
    ],
)
def test_labels_mean_what_the_dataset_says(name: str, label: int, expected: str, colour: tuple[int, ...]) -> None:
    vocabulary = load_vocabulary(name)
    assert vocabulary.names[label] == expected
    assert tuple(vocabulary.colours[label].tolist()) == colour


@pytest.mark.parametrize(
    ("vocabulary", "name", "text"),
    [
        ("voc20", "tvmonitor", "tv monitor"),
        ("voc20", "diningtable", "dining table"),
        ("coco-stuff171", "wall-brick", "brick wall"),
        ("coco-stuff171", "building-other", "building"),
        ("context59", "pottedplant", "potted plant"),
        ("voc20", "cat", "cat"),
    ],
)
def test_odd_names_are_shown_but_readable_texts_are_asked(vocabulary: str, name: str, text: str) -> None:
    (category,) = [entry for entry in load_vocabulary(vocabulary).categories if entry.name == name]
    assert category.embedded_text == category.retrieval_text == text


def test_colours_of_voc_deal_out_the_bits_of_the_label() -> None:
    known = [(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128), (128, 0, 128), (0, 128, 128)]
    assert [tuple(colour) for colour in voc_colours(7).tolist()] == known
    everything = voc_colours(256)
    assert len(np.unique(everything, axis=0)) == 256
    assert tuple(everything[8].tolist()) == (64, 0, 0)
    assert tuple(everything[255].tolist()) == (224, 224, 192)


def test_a_name_that_is_not_there_is_answered_with_all_that_are() -> None:
    with pytest.raises(NotFoundError, match=r"no vocabulary 'voc22'; did you mean voc21\?"):
        load_vocabulary("voc22")
    with pytest.raises(NotFoundError, match=r"no vocabulary 'zebra'; known are voc20, voc21, .*, ade150"):
        load_vocabulary("zebra")


def test_a_shared_palette_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_vocabulary("voc20").colours[0] = 1
