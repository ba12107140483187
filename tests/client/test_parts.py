from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.client.parts import PART_BYTES, cut_parts


@given(st.lists(st.integers(0, 5000), min_size=1), st.integers(1, 5), st.integers(PART_BYTES, 9000))
def test_parts_hold_all_images_in_order_and_no_more_than_is_allowed(sizes: list[int], most: int, limit: int) -> None:
    images = list(range(len(sizes)))
    parts = cut_parts(images, sizes, most=most, most_bytes=limit)
    assert [image for part in parts for image in part] == images
    for part in parts:
        taken = [sizes[image] + PART_BYTES for image in part]
        assert 0 < len(part) <= most
        assert sum(taken) <= limit or len(part) == 1
