import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freeda_svc.bank import Revision
from freeda_svc.errors import InputError
from freeda_svc.outputs import write_summary
from freeda_svc.parameters import SegmentationParameters, SuperpixelParameters
from freeda_svc.segmentation import Category, CategoryScore, Segmentation
from freeda_svc.segmentation.known_words import KnownWord

SEGMENTATION = Segmentation(
    labels=np.zeros((30, 40), dtype=np.int32),
    categories=(
        Category("Café au lait", text="coffee", prototype_text="cup", synonyms=("latte",)),
        Category('a "dog"'),
    ),
    scores=(
        CategoryScore("Café au lait", score=0.61, highest_score=0.7, area_share=1.0, absent=False),
        CategoryScore('a "dog"', score=None, highest_score=0.4, area_share=0.0, absent=True),
    ),
    regions=17,
    windows=2,
    parameters=SegmentationParameters(
        k=350,
        beta=0.8,
        short_side=448,
        long_side=2048,
        window=448,
        stride=224,
        superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=100.0, sigma=1.0, min_size=20),
    ),
    pack="0123456789abcdef",
    timings={"encoders": 1.25, "scores": 0.5},
    encoders={"device": "cpu", "precision": "float32", "runtime": "torch"},
    bank="default@1",
    bank_revision=Revision(additions=3, removals="none"),
    words=(
        (KnownWord("cup", prototypes=0, retrieved=9, nearest={"glass": 6, "bowl": 3}), KnownWord("latte", 4, 9, {})),
        (KnownWord('a "dog"', prototypes=12, retrieved=9, nearest={}),),
    ),
    unknown_share=0.25,
    transparent_share=0.125,
)


def test_a_summary_says_what_was_asked_found_and_used(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    write_summary(path, SEGMENTATION)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "image": {"height": 30, "width": 40},
        "categories": [
            {
                "index": 0,
                "name": "Café au lait",
                "text": "coffee",
                "prototype_text": "cup",
                "synonyms": ["latte"],
                "score": 0.61,
                "highest_score": 0.7,
                "area_share": 1.0,
                "absent": False,
                "words": [
                    {
                        "text": "cup",
                        "prototypes": 0,
                        "retrieved": 9,
                        "nearest": [{"noun": "glass", "retrieved": 6}, {"noun": "bowl", "retrieved": 3}],
                    },
                    {"text": "latte", "prototypes": 4, "retrieved": 9, "nearest": []},
                ],
            },
            {
                "index": 1,
                "name": 'a "dog"',
                "text": 'a "dog"',
                "prototype_text": 'a "dog"',
                "synonyms": [],
                "score": None,
                "highest_score": 0.4,
                "area_share": 0.0,
                "absent": True,
                "words": [{"text": 'a "dog"', "prototypes": 12, "retrieved": 9, "nearest": []}],
            },
        ],
        "unknown_share": 0.25,
        "transparent_share": 0.125,
        "regions": 17,
        "windows": 2,
        "parameters": json.loads(json.dumps(SEGMENTATION.parameters.model_dump())),
        "pack": "0123456789abcdef",
        "encoders": {"device": "cpu", "precision": "float32", "runtime": "torch"},
        "bank": "default@1",
        "bank_version": {"additions": 3, "removals": "none"},
        "timings_seconds": {"encoders": 1.25, "scores": 0.5},
    }
    assert "Café" in path.read_text(encoding="utf-8")  # readable as typed, not escaped


def test_a_number_that_json_lacks_is_never_written(tmp_path: Path) -> None:
    broken = replace(SEGMENTATION, timings={"encoders": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_summary(tmp_path / "summary.json", broken)
    assert not list(tmp_path.iterdir())


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must end in \.json"):
        write_summary(tmp_path / "summary.txt", SEGMENTATION)
