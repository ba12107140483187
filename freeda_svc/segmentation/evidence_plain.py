"""Evidence as plain values, for JSON. docs/evidence.md explains each key."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from freeda_svc.segmentation.evidence import Evidence
from freeda_svc.segmentation.evidence_regions import RegionEvidence
from freeda_svc.segmentation.parts import nearest_pixels
from freeda_svc.segmentation.proposals import Proposals

FORMAT = "freeda-evidence"
VERSION = 1
MOST_MAP_SIDE = 2048
"""A larger map of regions is reduced to this, pixels."""

_DECIMALS = 5


def evidence_values(evidence: Evidence, proposals: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return evidence as values that JSON has; numbers that are not known are None.

    Args:
        evidence: of one image.
        proposals: what proposed the categories, see ``proposal_values``; None where a person named them.
    """
    height, width = evidence.size
    return {
        "format": FORMAT,
        "version": VERSION,
        "image": {"height": height, "width": width},
        "names": list(evidence.names),
        "categories": [
            {
                "index": category.index,
                "name": category.name,
                "area_share": _number(category.area_share),
                "score": _number(category.score),
                "texts": [{**asdict(text), "cosine": _number(text.cosine)} for text in category.texts],
                "prototypes": [
                    {
                        **asdict(prototype),
                        "spans": [list(span) for span in prototype.spans],
                        "key_score": _number(prototype.key_score),
                        "agreement": _number(prototype.agreement),
                        "contribution": _number(prototype.contribution, _DECIMALS + 2),
                    }
                    for prototype in category.prototypes
                ],
            }
            for category in evidence.categories
        ],
        "unknown_share": _number(evidence.unknown_share),
        "map": _runs(evidence.regions),
        "regions": {
            "regions": evidence.regions.regions,
            "label": evidence.regions.labels.tolist(),
            "pixels": evidence.regions.pixels.tolist(),
            "categories": evidence.regions.categories.tolist(),
            "score": _numbers(evidence.regions.scores),
            "local": _numbers(evidence.regions.local),
            "global": _numbers(evidence.regions.global_),
            "support": _numbers(evidence.regions.support) if evidence.appearance_weight else None,
        },
        "proposals": proposals,
        "beta": evidence.beta,
        "appearance_weight": evidence.appearance_weight,
        "local_similarity": evidence.local_similarity,
        "aggregation": evidence.aggregation,
        "pack": evidence.pack,
        "bank": evidence.bank,
        "bank_changed": evidence.bank_changed,
    }


def proposal_values(proposals: Proposals) -> dict[str, Any]:
    """Return proposals as values that JSON has."""
    rows = [
        {name: _number(value) if isinstance(value, float) else value for name, value in row.items()}
        for row in proposals.table()
    ]
    return {"nouns": proposals.nouns, "categories": rows}


def _number(value: float | None, decimals: int = _DECIMALS) -> float | None:
    return None if value is None or not np.isfinite(value) else round(value, decimals)


def _numbers(table: npt.NDArray[np.float32]) -> list[list[float | None]]:
    return [[_number(value) for value in row] for row in table.tolist()]


def _runs(regions: RegionEvidence) -> dict[str, Any]:
    """The map row by row, run-length encoded: pairs of a region and a number of pixels."""
    height, width = regions.map.shape
    scale = min(1.0, MOST_MAP_SIDE / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    pixels = (regions.map if scale == 1 else nearest_pixels(regions.map, size)).ravel()
    starts = np.concatenate(([0], np.flatnonzero(pixels[1:] != pixels[:-1]) + 1))
    lengths = np.diff(starts, append=pixels.size)
    return {"height": size[0], "width": size[1], "runs": np.stack((pixels[starts], lengths), axis=1).ravel().tolist()}
