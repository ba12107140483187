import pytest

from freeda_svc.counts import counted


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "item", "0 items"),
        (1, "item", "1 item"),
        (1200, "item", "1,200 items"),
        (1, "more word", "1 more word"),
        (2, "more word", "2 more words"),
        (2, "category", "2 categories"),
        (1, "category", "1 category"),
        (3, "open class", "3 open classes"),
    ],
)
def test_a_number_goes_with_the_singular_or_the_plural(count: int, noun: str, text: str) -> None:
    assert counted(count, noun) == text
