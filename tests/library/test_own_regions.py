"""Regions of one's own in the library: any way to give them, for one image and for many."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import freeda_svc
from freeda_svc.errors import InputError

CATEGORIES = ["boat|ship", "sky", "grass"]
SIZE = (40, 56)


@pytest.fixture
def labels() -> npt.NDArray[np.uint8]:
    """Three regions of the whole photo."""
    labels = np.ones(SIZE, dtype=np.uint8)
    labels[20:], labels[10:30, 20:40] = 2, 3
    return labels


def is_one_label_a_region(result: freeda_svc.Result, labels: npt.NDArray[np.uint8]) -> bool:
    return all(len(np.unique(result.labels[labels == region])) == 1 for region in np.unique(labels))


def test_regions_of_an_image_are_the_same_however_they_come(
    segmenter: freeda_svc.Segmenter, photo: Path, labels: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    file = tmp_path / "labels.png"
    Image.fromarray(labels).save(file)
    result = segmenter.segment(photo, CATEGORIES, regions=labels)
    assert is_one_label_a_region(result, labels)
    assert np.array_equal(np.unique(result.segmentation.given_regions), [0, 1, 2])
    masks = np.stack([labels == region for region in (1, 2, 3)])
    for regions in (file, str(file), file.read_bytes(), masks, list(masks), Image.fromarray(labels)):
        assert segmenter.segment(photo, CATEGORIES, regions=regions) == result
    assert segmenter.explain(result).evidence is not None
    assert segmenter.propose(photo, regions=labels).categories


def test_a_word_names_a_way(segmenter: freeda_svc.Segmenter, photo: Path) -> None:
    assert segmenter.segment(photo, CATEGORIES, regions="superpixels") == segmenter.segment(photo, CATEGORIES)
    with pytest.raises(InputError, match=r"the pack miniature has no mask generator"):
        segmenter.segment(photo, CATEGORIES, regions="masks")
    with pytest.raises(InputError, match=r"regions is 'mask', but must be one of superpixels, masks"):
        segmenter.segment(photo, CATEGORIES, regions="mask")
    with pytest.raises(InputError, match=r"no such file of regions: mask.png"):
        segmenter.segment(photo, CATEGORIES, regions="mask.png")


def test_overlapping_masks_are_refused_or_resolved(
    segmenter: freeda_svc.Segmenter, photo: Path, labels: npt.NDArray[np.uint8]
) -> None:
    masks = [np.ones(SIZE, dtype=bool), labels == 3]
    with pytest.raises(InputError, match=r"the regions of photo.png: masks 1 and 2 overlap in 400 pixels"):
        segmenter.segment(photo, CATEGORIES, regions=masks)
    result = segmenter.segment(photo, CATEGORIES, regions=masks, region_overlaps="smallest")
    assert np.array_equal(np.unique(result.segmentation.given_regions), [0, 1])


def test_many_images_take_a_list_or_a_folder_of_regions(
    segmenter: freeda_svc.Segmenter, photo: Path, labels: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    folder = tmp_path / "regions"
    folder.mkdir()
    Image.fromarray(labels).save(folder / "photo.png")
    alone = segmenter.segment(photo, CATEGORIES, regions=labels)
    plain = segmenter.segment(photo, CATEGORIES)
    given = segmenter.segment_many([photo, photo], CATEGORIES, regions=[labels, None], progress=False)
    assert list(given) == [alone, plain]
    assert list(segmenter.segment_many([photo], CATEGORIES, regions=folder, progress=False)) == [alone]
    out = tmp_path / "out"

    def written() -> list[freeda_svc.Result]:
        return list(segmenter.segment_many([photo], CATEGORIES, regions=folder, out=out, progress=False))

    assert written() == [alone]
    assert written() == []  # nothing has changed
    changed = np.where(labels == 3, 2, labels).astype(np.uint8)
    Image.fromarray(changed).save(folder / "photo.png")
    assert written() == [segmenter.segment(photo, CATEGORIES, regions=changed)]
    assert (out / "photo.mask.png").is_file()


def test_regions_that_do_not_go_with_the_images_are_refused(
    segmenter: freeda_svc.Segmenter, photo: Path, labels: npt.NDArray[np.uint8], tmp_path: Path
) -> None:
    def asked(regions: object, **more: object) -> None:
        list(segmenter.segment_many([photo], CATEGORIES, regions=regions, progress=False, **more))  # type: ignore[arg-type]

    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"there are 1 images and regions of 2"):
        asked([labels, labels])
    with pytest.raises(InputError, match=r"there are only 0 regions"):
        asked(iter([]))
    with pytest.raises(InputError, match=r"photo.png has no regions in .*: expected photo.png or .json there"):
        asked(tmp_path / "empty")
    with pytest.raises(InputError, match=r"photo.png has no regions in"):
        asked(tmp_path / "empty", out=tmp_path / "out")
    with pytest.raises(InputError, match=r"are a folder or a list"):
        asked(tmp_path / "missing")
    with pytest.raises(InputError, match=r"given by paths, not a ndarray"):
        asked([labels], out=tmp_path / "out")
    with pytest.raises(InputError, match=r"the regions of photo.png are 56 x 39 pixels large, but the image 56 x 40"):
        segmenter.segment(photo, CATEGORIES, regions=labels[1:])
    (tmp_path / "two").mkdir()
    for name in ("photo.png", "photo.png.png"):
        Image.fromarray(labels).save(tmp_path / "two" / name)
    with pytest.raises(InputError, match=r"photo.png has more than one file of regions in"):
        asked(tmp_path / "two")
