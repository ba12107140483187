"""One list of categories for many images, merged from the proposals for each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from freeda_svc.parameters import MOST_TEXTS, fold_text


def common_list(proposed: Iterable[Mapping[str, Any]], first: Sequence[str] = ()) -> list[str]:
    """Put the proposals for many images together.

    Near-synonyms that were merged in one image are one category in all, whichever of them names it there: the one
    with the largest area over all images.

    Args:
        proposed: of each image, as ``proposal_values`` returns them.
        first: categories that come first, in this order, whatever was proposed: those of an earlier list, so that
            their numbers stay.

    Returns:
        Names of categories: behind ``first``, those with the largest area over all images come first. At most as many
        as one mask can hold.
    """
    areas: dict[str, float] = defaultdict(float)
    merged: dict[str, set[str]] = defaultdict(set)  # what a noun stood for, or what stood for it
    spelled: dict[str, str] = {fold_text(name): name for name in first}
    for values in proposed:
        for entry in values["categories"]:
            noun = fold_text(entry["noun"])
            spelled.setdefault(noun, entry["noun"])
            areas[noun] += entry["area_share"]
            for other in map(fold_text, entry["merged"]):
                merged[noun].add(other)
                merged[other].add(noun)
    chosen = dict.fromkeys(fold_text(name) for name in first)
    for noun in sorted(areas, key=lambda noun: (-areas[noun], noun)):
        if merged[noun].isdisjoint(chosen):
            chosen.setdefault(noun)
    return [spelled[noun] for noun in chosen][:MOST_TEXTS]
