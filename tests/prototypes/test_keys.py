import pytest
import torch

from freeda_svc.errors import InputError
from freeda_svc.prototypes.equations import make_keys

NOUNS = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]])
CAPTION = torch.tensor([0.0, 0.0, 1.0])


def test_a_key_is_nine_parts_noun_and_one_part_caption() -> None:
    torch.testing.assert_close(make_keys(NOUNS, CAPTION, 0.9), torch.tensor([[0.9, 0.0, 0.1], [0.0, 0.54, 0.82]]))


def test_with_alpha_1_a_key_is_the_noun_and_with_0_the_caption() -> None:
    torch.testing.assert_close(make_keys(NOUNS, CAPTION, 1.0), NOUNS)
    torch.testing.assert_close(make_keys(NOUNS, CAPTION, 0.0), CAPTION.expand(2, 3))


def test_shapes_that_do_not_fit_are_refused() -> None:
    for nouns, caption in [(NOUNS, CAPTION[:2]), (NOUNS[0], CAPTION), (NOUNS, CAPTION[None])]:
        with pytest.raises(InputError, match=r"shape \(N, Dt\)"):
            make_keys(nouns, caption, 0.9)
