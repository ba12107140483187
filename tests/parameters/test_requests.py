"""Requests as a client sends them, and as SQL keeps them: also by earlier versions."""

import json
from typing import Any

import jsonschema
import pytest

from freeda_svc.errors import InputError
from freeda_svc.parameters import Category, SegmentationOverrides, SegmentationRequest

EARLIER: list[dict[str, Any]] = [
    {"categories": [{"name": "cat"}], "overrides": {}},  # before banks had names
    {"bank": "default@1", "categories": None, "overrides": {}},
    {
        "bank": "animals@2",
        "categories": [
            {"name": "cat|kitten", "text": "cat", "synonyms": ["kitten"]},
            {"name": "b", "text": "c", "prototype_text": "d"},
        ],
        "overrides": {"beta": 1, "superpixels": "none", "refinement_dilations": [1, 2], "origins": ["exemplar"]},
        "colours": [[255, 0, 7], [0, 0, 0]],
        "explain": True,
    },
    {"bank": "default@1", "categories": None, "overrides": {"k": 3}, "only_propose": True},
]


@pytest.mark.parametrize("kept", EARLIER)
def test_what_earlier_jobs_keep_is_read_and_kept_the_same(kept: dict[str, Any]) -> None:
    kept = json.loads(json.dumps(kept))
    request = SegmentationRequest.read(kept)
    assert request.kept() == {"bank": "", **kept}
    assert SegmentationRequest.read(json.loads(json.dumps(request.kept()))) == request
    jsonschema.validate(kept, SegmentationRequest.model_json_schema())


def test_categories_are_given_in_several_ways() -> None:
    given = ["cat|kitten", {"name": "dog|puppy"}, {"name": "sky", "text": None}, Category("a|b", text="water")]
    request = SegmentationRequest.read({"categories": given})
    assert request.categories == (
        Category("cat|kitten", text="cat", synonyms=["kitten"]),
        Category("dog|puppy", text="dog", synonyms=["puppy"]),
        Category("sky"),
        Category("a|b", text="water"),
    )
    jsonschema.validate({"categories": given[:3]}, SegmentationRequest.model_json_schema())


def test_overrides_may_be_a_model_of_their_own() -> None:
    overrides = SegmentationOverrides(k=3)
    assert SegmentationRequest.read({"overrides": overrides}).overrides is overrides


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"categories": []}, "no categories given; name at least one, such as: dog, grass"),
        ({"categories": "cat"}, "categories is 'cat', but must be a list of categories"),
        ({"categories": [3]}, "3 is given where a table with name, text, prototype_text, synonyms is meant"),
        ({"categories": ["a", "A"]}, "the category 'A' is given twice; name every category once"),
        ({"categories": ["a"], "only_propose": True}, "categories are proposed where none are named; leave them out"),
        ({"overrides": 3}, "overrides is 3, but must be a table"),
        ({"colours": [[1, 2]]}, "colours.0 is too short, but must be a list of 3 whole numbers from 0 to 255"),
        ({"colours": [[1, 2, 300]]}, "colours.0 holds 300, but must be a list of 3 whole numbers from 0 to 255"),
        ({"banks": "x"}, "there is no parameter 'banks'; did you mean bank?"),
        ({"explain": 1}, "explain is 1, but must be true or false"),
        (3, "3 is given where a table with bank, categories, overrides, colours, explain, only_propose is meant"),
    ],
)
def test_unusable_requests_are_refused_in_one_sentence(values: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        SegmentationRequest.read(values)
    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)
