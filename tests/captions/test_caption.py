import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freeda_svc.captions import Caption, make_caption


def test_the_id_follows_from_the_text_and_stays() -> None:
    assert make_caption("a dog") == Caption("7dbdf68ac0bb3482", "a dog")
    assert make_caption("A dog") != make_caption("a dog")


@pytest.mark.parametrize(
    ("untidy", "tidy"),
    [
        ("  a\tdog \n on\xa0grass\u3000", "a dog on grass"),
        ("a\0dog\x1b", "a dog"),
        ("\ufeffa d\u200bog\u00ad", "a dog"),
        ("un e\u0301te\u0301", "un \u00e9t\u00e9"),
        ("half \ud800 a dog", "half a dog"),
        ("\N{WOMAN}\u200d\N{PERSONAL COMPUTER} at a desk", "\N{WOMAN}\u200d\N{PERSONAL COMPUTER} at a desk"),
    ],
)
def test_untidy_captions_are_tidied(untidy: str, tidy: str) -> None:
    caption = make_caption(untidy)
    assert caption is not None
    assert caption.text == tidy
    assert caption == make_caption(tidy)


@pytest.mark.parametrize("nothing", ["", " \n\t", "\u200b", "\0", "\ud800"])
def test_an_empty_text_is_no_caption(nothing: str) -> None:
    assert make_caption(nothing) is None


@given(st.text(alphabet=st.characters(), max_size=40))
def test_what_is_tidy_stays_as_it_is(text: str) -> None:
    caption = make_caption(text)
    if caption is None:
        return
    assert make_caption(caption.text) == caption
    assert unicodedata.is_normalized("NFC", caption.text)
    assert len(caption.id) == 16
    caption.text.encode("utf-8")
