from typing import Any

import pytest

from freeda_svc.segmentation import category_lists as module
from freeda_svc.segmentation.category_lists import common_list


def proposed(*entries: tuple[str, float] | tuple[str, float, tuple[str, ...]]) -> dict[str, Any]:
    """What was proposed for one image: nouns, their areas, and what was merged into them."""
    return {
        "categories": [
            {"noun": noun, "area_share": area, "merged": list(merged[0]) if merged else []}
            for noun, area, *merged in entries
        ]
    }


def test_the_largest_over_all_images_come_first() -> None:
    images = [proposed(("sky", 0.5), ("sea", 0.4), ("boat", 0.1)), proposed(("boat", 0.45), ("dog", 0.3), ("sky", 0.2))]
    assert common_list(images) == ["sky", "boat", "sea", "dog"]
    assert common_list(reversed(images)) == ["sky", "boat", "sea", "dog"]


def test_equal_areas_stand_in_the_order_of_the_alphabet() -> None:
    assert common_list([proposed(("b", 0.5), ("a", 0.5))]) == ["a", "b"]


@pytest.mark.parametrize("order", [1, -1])
def test_near_synonyms_are_one_category_in_all_images(order: int) -> None:
    images = [proposed(("boat", 0.3, ("ship",)), ("sky", 0.7)), proposed(("ship", 0.2), ("vessel", 0.8, ("ship",)))]
    assert common_list(images[::order]) == [
        "vessel",
        "sky",
        "boat",
    ]  # boat and vessel were told apart by nobody merging


def test_near_synonyms_are_named_by_the_larger() -> None:
    images = [proposed(("boat", 0.3, ("ship",))), proposed(("ship", 0.9)), proposed(("boat", 0.1))]
    assert common_list(images) == ["ship"]


def test_case_and_white_space_do_not_count() -> None:
    assert common_list([proposed(("Traffic  Light", 0.2)), proposed(("traffic light", 0.1))]) == ["Traffic  Light"]


def test_an_earlier_list_keeps_its_numbers() -> None:
    images = [proposed(("sky", 0.9), ("ship", 0.05), ("dog", 0.05)), proposed(("boat", 0.1, ("ship",)))]
    assert common_list(images, ["grass", "Boat", "sky"]) == ["grass", "Boat", "sky", "dog"]


def test_it_has_no_more_than_a_mask_can_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TEXTS", 2)
    assert common_list([proposed(("a", 0.5), ("b", 0.4), ("c", 0.3))]) == ["a", "b"]
