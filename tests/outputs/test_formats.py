import subprocess
import sys

import pytest

from freeda_svc.errors import InputError
from freeda_svc.outputs import DEFAULT_FORMATS, FORMATS, check_formats, files_for_all, files_of_image


def test_formats_are_put_in_order_each_once() -> None:
    assert check_formats(["coco", "mask", "coco"]) == ("mask", "coco")
    assert check_formats([]) == DEFAULT_FORMATS
    assert check_formats(FORMATS) == FORMATS


def test_an_unknown_format_is_reported_in_one_line_that_names_all() -> None:
    with pytest.raises(InputError) as caught:
        check_formats(["mask", "png"])
    assert str(caught.value) == f"there is no format 'png'; the formats are {', '.join(FORMATS)}"


def test_every_format_makes_files_of_names_of_its_own() -> None:
    per_image, for_all = files_of_image("a/x", FORMATS), files_for_all(FORMATS)
    assert set(per_image) | {"coco", "label-studio", "yolo", "voc", "index"} == set(FORMATS)
    names = [*per_image.values(), *for_all]
    assert len(set(names)) == len(names)
    assert all(name.startswith("a/x.") for name in per_image.values())
    endings = [name.removeprefix("a/x") for name in per_image.values()]
    within = {(one, other) for one in endings for other in endings if one != other and one.endswith(other)}
    assert within <= {(".evidence.json", ".json")}  # images are never called so that this matters


def test_names_of_formats_and_files_need_no_library_for_pictures() -> None:
    code = (
        "import sys; from freeda_svc.outputs import check_formats, files_of_image; check_formats(['overlay']); "
        "print(sorted({'skimage', 'scipy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
