"""Captions with their nouns, for tests of what is generated from them."""

from freeda_svc.captions.caption import Caption, Noun, make_caption

TEXTS = [
    "a ball on the grass next to a ball",
    "the moon and a boat in the water under the sky",
    "sand",
    "a house beside a zebra near the tree",
]
NOUNS = [["ball", "grass"], ["moon", "boat", "water", "sky"], ["sand"], ["house", "zebra", "tree"]]


def caption_of(text: str) -> Caption:
    caption = make_caption(text)
    assert caption is not None
    return caption


def noun_of(text: str, word: str) -> Noun:
    spans, start = [], text.find(word)
    while start >= 0:
        spans.append((start, start + len(word)))
        start = text.find(word, start + 1)
    return Noun(word, tuple(spans))


CAPTIONS = [caption_of(text) for text in TEXTS]
MENTIONED = [[noun_of(text, word) for word in words] for text, words in zip(TEXTS, NOUNS, strict=True)]
