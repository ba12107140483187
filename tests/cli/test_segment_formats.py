import click
import pytest

from freeda_svc.cli.segment_categories import ask_categories
from freeda_svc.cli.segment_formats import read_formats, read_formats_of_segment
from freeda_svc.outputs import DEFAULT_FORMATS, EVIDENCE_FORMATS

COLLECTIONS = ("coco", "label-studio", "yolo", "voc")


def test_formats_are_read_from_lists_and_repeated_options() -> None:
    assert read_formats(["coco , mask", "overlay"]) == ("mask", "overlay", "coco")
    assert read_formats(()) == DEFAULT_FORMATS


def test_evidence_is_among_the_usual_files_where_it_is_asked_for() -> None:
    assert read_formats_of_segment((), explain=False, own_lists=False) == DEFAULT_FORMATS
    assert read_formats_of_segment((), explain=True, own_lists=False) == (*DEFAULT_FORMATS, *EVIDENCE_FORMATS)
    assert read_formats_of_segment(("mask,evidence-page",), explain=True, own_lists=True) == ("mask", "evidence-page")
    assert read_formats_of_segment(("mask",), explain=True, own_lists=False) == ("mask", *EVIDENCE_FORMATS)


@pytest.mark.parametrize("name", EVIDENCE_FORMATS)
def test_files_of_evidence_need_evidence(name: str) -> None:
    with pytest.raises(click.UsageError, match="go with --explain"):
        read_formats_of_segment((name,), explain=False, own_lists=False)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_files_for_all_images_do_not_go_with_categories_of_their_own(name: str) -> None:
    with pytest.raises(click.UsageError, match="same categories for all images"):
        read_formats_of_segment((f"mask,{name}",), explain=False, own_lists=True)
    assert read_formats_of_segment((name,), explain=False, own_lists=False) == (name,)


def test_unknown_formats_are_refused() -> None:
    with pytest.raises(click.BadParameter, match="there is no format 'evidenze'"):
        read_formats_of_segment(("evidenze",), explain=True, own_lists=False)


def test_with_auto_no_category_is_named() -> None:
    assert ask_categories([], [], None, [], auto=True).categories is None
    with pytest.raises(click.UsageError, match="name none beside it"):
        ask_categories(["ball"], [], None, [], auto=True)
