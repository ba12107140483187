"""Run as a process of its own: adds batches to a bank and says on standard output which are done, until killed."""

import sys
from pathlib import Path

import numpy as np

from freeda_svc.bank import EmbeddedStore
from freeda_svc.prototypes.record import Prototype

BATCH = 40
KEY_DIMENSION = 16
VECTOR_DIMENSION = 24


def make_batch(number: int) -> list[Prototype]:
    generator = np.random.default_rng(number)
    return [
        Prototype(
            noun=f"noun {i % 5}",
            caption_id=f"{number:08x}{i:08x}",
            caption=f"batch {number}",
            spans=((0, 4),),
            seed=number,
            key=generator.normal(size=KEY_DIMENSION).astype(np.float32),
            vector=generator.normal(size=VECTOR_DIMENSION).astype(np.float32),
            mask_area=0.5,
            contrast=0.5,
            image_text_score=0.5,
            pack="killed",
        )
        for i in range(BATCH)
    ]


def main(folder: Path, first: int) -> None:
    store = EmbeddedStore.open(folder, "killed", KEY_DIMENSION, VECTOR_DIMENSION)
    print("open", flush=True)
    number = first
    while sys.stdin.readline():
        store.add(make_batch(number))
        print(f"done {number}", flush=True)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
