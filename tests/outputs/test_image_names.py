from pathlib import Path, PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.outputs import FORMATS, distinct_stems, files_for_all, name_images
from freeda_svc.outputs.image_names import RESERVED_STEMS


def test_names_are_those_of_the_files() -> None:
    named = name_images([Path("a/x.png"), Path("b/x.png")])
    assert [(image.name, image.stem) for image in named] == [("x.png", "x"), ("x.png", "x-2")]


def test_stems_leave_room_for_the_endings_of_results() -> None:
    names = [f"a/{'n' * 246}.png", f"a/{'n' * 245}m.png", f"{'n' * 246}.jpg", f"{'ü' * 120}.png", "n.png"]
    stems = distinct_stems(names)
    assert len(set(stems)) == 5
    assert stems == distinct_stems(names)
    assert stems[-1] == "n"
    for stem in stems:
        assert len(f"{PurePosixPath(stem).name}-9999.evidence.html".encode()) <= 255
    assert distinct_stems([f"{'n' * 246}.jpg", f"{'n' * 246}.png"])[1] == f"{stems[2]}-2"


@given(st.lists(st.sampled_from(["a.png", "A.jpg", "a-2.png", "a-2-2.png", "b.tar.gz", "c/a.png", ".x", "coco.png"])))
def test_every_name_gets_its_own_stem(names: list[str]) -> None:
    stems = distinct_stems(names)
    assert len({stem.casefold() for stem in stems}) == len(names)
    assert all(stem.startswith(name.rpartition(".")[0]) for stem, name in zip(stems, names, strict=True))


def test_no_image_takes_the_names_of_files_for_all_images() -> None:
    summaries = {name for name in files_for_all(FORMATS) if name.endswith(".json")}  # as each image has one
    assert {name.removesuffix(".json") for name in summaries} == set(RESERVED_STEMS)
    assert distinct_stems(["Coco.png", "label-studio.jpg", "a/coco.png"]) == ["Coco-2", "label-studio-2", "a/coco"]
    assert distinct_stems(["coco.results.png"]) == ["coco.results-2"]
    assert distinct_stems(["x.png", "x.evidence.png"]) == ["x", "x.evidence-2"]


def test_no_stem_makes_a_summary_with_the_name_of_another_images_evidence() -> None:
    assert distinct_stems(["a.Evidence.png", "a.png", "a.evidence.jpg"]) == ["a.Evidence-2", "a", "a.evidence-3"]
