"""Short reports are made from summaries, those of earlier builds too."""

import pytest

from freeda_svc.batches import ShownCategory, shown_categories


@pytest.mark.parametrize("key", ["confidence", "sureness"])
def test_the_confidence_of_a_proposal_is_read_by_its_old_name_too(key: str) -> None:
    summary = {
        "categories": [
            {"name": "sky", "area_share": 0.25, "absent": False},
            {"name": "boat", "area_share": 0.75, "absent": False},
            {"name": "cat", "area_share": 0.0, "absent": True},
        ],
        "unknown_share": 0.0,
        "proposals": {"categories": [{"noun": "boat", key: 0.75}]},
    }
    assert shown_categories(summary) == [ShownCategory("boat", 0.75, 0.75), ShownCategory("sky", 0.25, None)]
