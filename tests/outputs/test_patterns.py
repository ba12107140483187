import numpy as np

from freeda_svc.outputs import palette
from freeda_svc.outputs.patterns import PLAIN, choose_patterns, draw_pattern


def test_colours_that_are_distinguished_stay_plain() -> None:
    blended = {number: colour * 0.55 + 128 * 0.45 for number, colour in enumerate(palette(20))}
    assert set(choose_patterns(blended, list(range(20))).values()) == {PLAIN}


def test_of_colours_that_are_alike_each_gets_another_pattern() -> None:
    colours = dict(
        enumerate(np.array([(90, 140, 90), (91, 141, 90), (90, 139, 92), (200, 60, 60), (90, 140, 91)]), start=1)
    )
    patterns = choose_patterns(colours, [3, 1, 4, 2, 5])
    assert patterns[3] == patterns[4] == PLAIN
    assert len({patterns[number] for number in (1, 2, 3, 5)}) == 4


def test_red_and_green_that_some_confuse_get_patterns() -> None:
    red, green = np.array([244, 50, 127]), np.array([21, 175, 115])
    assert choose_patterns({0: red, 1: green}, [0, 1])[1] != PLAIN


def test_a_settled_pattern_stays_and_those_alike_avoid_it() -> None:
    grey = np.array((128, 128, 128))
    patterns = choose_patterns({-1: grey, 0: grey, 1: grey, 2: grey}, [-1, 0, 1, 2], {-1: 2})
    assert [patterns[number] for number in (-1, 0, 1, 2)] == [2, 0, 1, 3]


def test_more_than_there_are_patterns_share_the_last() -> None:
    patterns = choose_patterns(dict.fromkeys(range(9), np.array((90, 90, 90))), list(range(9)))
    assert [patterns[number] for number in range(9)] == [0, 1, 2, 3, 4, 4, 4, 4, 4]


def test_patterns_differ_and_stay_inside() -> None:
    drawn = set()
    for pattern in range(5):
        for level in (60, 200):
            pixels = np.full((24, 24, 3), level, dtype=np.uint8)
            inside = np.zeros((24, 24), dtype=bool)
            inside[4:20, 4:20] = True
            draw_pattern(pixels, inside, pattern, pixels[0, 0], 8)
            changed = (pixels != level).any(axis=2)
            assert not changed[~inside].any()
            assert changed.any() == (pattern != PLAIN)
            if changed.any():
                assert (pixels[changed].mean() > level) == (level == 60)
                assert 0.2 < changed[inside].mean() < 0.3
            drawn.add(changed.tobytes())
    assert len(drawn) == 5
