"""Natural captions for painted scenes."""

from collections.abc import Callable, Sequence

import numpy as np

_OPENINGS = ("", "a photo of ", "a picture of ", "there is ", "")
_LINKS = (" and ", " next to ", " beside ", " near ")
_PLACES = {
    "sky": ("in the sky", "under the sky", "against the sky"),
    "grass": ("on the grass", "in the grass", "above the grass"),
    "sand": ("on the sand", "in the sand", "above the sand"),
    "water": ("on the water", "in the water", "above the water"),
    "snow": ("on the snow", "in the snow", "above the snow"),
    "road": ("on the road", "beside the road", "above the road"),
}


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _name(rng: np.random.Generator, word: str, colour: str) -> str:
    words = [_pick(rng, ("small", "large"))] if rng.random() < 0.15 else []
    if rng.random() < 0.5:
        words.append(colour)
    words.append(word)
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([_pick(rng, (article, article, "the")), *words])


def _say_nothing(_first: int, _second: int) -> tuple[str, ...]:
    return ()


def describe(
    rng: np.random.Generator,
    things: Sequence[tuple[str, str]],
    grounds: Sequence[str],
    relate: Callable[[int, int], Sequence[str]] = _say_nothing,
) -> str:
    """Write one sentence that names every thing (word, colour) and every background.

    Args:
        rng: where the choice of words comes from.
        things: words with their colour words; may be empty.
        grounds: one or two background nouns; may be empty when things cover all of them.
        relate: says how one thing lies to another, by their positions in ``things``: words for "A ... B" that are true.

    Returns:
        A lower-case sentence without a full stop.
    """
    order = [int(index) for index in rng.permutation(len(things))]
    phrase = ""
    for position, index in enumerate(order):
        if position:
            links = (*_LINKS, *(f" {link} " for link in relate(order[position - 1], index)))
            phrase += " and " if position == len(order) - 1 and position > 1 else _pick(rng, links)
        phrase += _name(rng, *things[index])
    opening = _pick(rng, _OPENINGS)
    if not order:
        return f"{opening}{' and '.join(f'the {ground}' for ground in grounds)}".strip()
    places = [_pick(rng, _PLACES[ground]) for ground in grounds if ground != "sky"]
    if "sky" in grounds:
        places.append(_pick(rng, _PLACES["sky"]) if not places else "under the sky")
    if rng.random() < 0.4:  # so that a word means the same at every place in a sentence
        return " ".join([*places, f"{_pick(rng, ('', 'there is '))}{phrase}"])
    return " ".join([f"{opening}{phrase}".strip(), *places])
