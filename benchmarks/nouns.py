"""How many captions a second the noun parser takes on one core.

The captions are those of COCO Captions val2017 where that file is at hand (``$FREEDA_SHARED/data`` or
``../shared/data``), else painted ones; the result's names say which. With the real ones, docs/nouns.md gets the 100
most frequent nouns.
"""

import os
from collections import Counter
from pathlib import Path
from time import perf_counter, process_time

import torch

from benchmarks.results import Result
from freeda_svc.captions import NounParser, read_captions
from freeda_svc.miniature import HARD, paint_scene
from freeda_svc.whole_files import write_whole

ROOT = Path(__file__).parents[1]
COCO = Path(os.environ.get("FREEDA_SHARED", ROOT.parent / "shared")) / "data" / "captions_val2017.json"
PAINTED = 2000
WARM_UP, AT_ONCE, MOST_FREQUENT = 100, 512, 100
BENCHMARK_SPLIT = 4


def _report(counts: Counter[str], captions: int, without: int) -> str:
    rows = [f"| {rank} | {noun} | {count} |" for rank, (noun, count) in enumerate(counts.most_common(MOST_FREQUENT), 1)]
    introduction = f"""\
# The nouns of COCO Captions val2017

Written by `python -m benchmarks nouns`. Compounds and their heads are counted separately; nouns that name
nothing visible are left out (`freeda_svc/captions/invisible_nouns.txt`). `freeda captions nouns FILE` counts those of
any file.

{captions} different captions, {without} of them without a noun, {len(counts)} different nouns. The {MOST_FREQUENT} most
frequent, by the number of captions that mention them:

| rank | noun | captions |
|---|---|---|
"""
    return introduction + "\n".join(rows) + "\n"


def run() -> list[Result]:
    """Parse all captions on one thread, in batches."""
    torch.set_num_threads(1)
    real = COCO.is_file()
    texts = (
        [caption.text for caption in read_captions(COCO)]
        if real
        else [paint_scene((BENCHMARK_SPLIT, number), HARD).caption for number in range(PAINTED)]
    )
    parser = NounParser()
    parser.parse(texts[:WARM_UP])
    counts: Counter[str] = Counter()
    without = 0
    wall, processor = perf_counter(), process_time()
    for start in range(0, len(texts), AT_ONCE):
        for nouns in parser.parse(texts[start : start + AT_ONCE]):
            counts.update(noun.text for noun in nouns)
            without += not nouns
    wall, processor = perf_counter() - wall, process_time() - processor
    if real:
        write_whole(ROOT / "docs" / "nouns.md", _report(counts, len(texts), without).encode("utf-8"))
    which = "coco" if real else "painted"
    return [
        Result(f"{which}_captions_parsed_per_second", len(texts) / wall, "captions/s"),
        Result(f"{which}_captions_parsed_per_processor_second", len(texts) / processor, "captions/s"),
        Result(f"{which}_captions_parsed", len(texts), "captions"),
        Result(f"{which}_captions_without_nouns", without, "captions"),
    ]
