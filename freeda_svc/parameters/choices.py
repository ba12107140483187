"""The values of parameters that are chosen from a list."""

from typing import Literal

SuperpixelAlgorithm = Literal["felzenszwalb", "slic", "watershed", "seeds", "quickshift", "none"]
RegionWay = Literal["superpixels", "masks"]
OverlapWay = Literal["refuse", "smallest"]
WindowWay = Literal["sliding", "whole"]
LocalSimilarity = Literal["sigmoid", "cosine"]
Aggregation = Literal["mean_embedding", "mean_similarity", "max_similarity"]
SynonymWay = Literal["best", "mean"]
RefinementWay = Literal["none", "pamr"]
UnknownWay = Literal["none", "channel", "local_before", "local_after"]
Origin = Literal["generated", "exemplar", "imported"]
"""How a prototype came into a bank."""
VocabularyName = Literal[
    "voc20",
    "voc21",
    "context59",
    "context60",
    "coco-stuff171",
    "coco-object80",
    "coco-object81",
    "cityscapes19",
    "ade150",
]
AttributionMethod = Literal["attention", "concept"]
Activation = Literal["", "gelu", "quick_gelu", "gelu_tanh"]
"""Of an image-text model's transformer; empty when not stated."""
CommercialUse = Literal["", "free", "conditions", "restricted"]
"""What a licence says of commercial use: ``free``, as Apache-2.0 and MIT; allowed under ``conditions`` that one must
read, as uses that are ruled out; ``restricted``, as to small companies; empty when not stated."""
