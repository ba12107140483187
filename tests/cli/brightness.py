"""A worker that segments at once: every image by its brightness, into the category at that place of the list."""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from freeda_svc.jobs import ItemState
from freeda_svc.jobs.database import reading, writing
from freeda_svc.jobs.results import colours_of, result_folder
from freeda_svc.jobs.tables import Job, WorkItem
from freeda_svc.outputs import write_mask
from freeda_svc.outputs.scores import keep_scores, write_score_arrays
from freeda_svc.settings import Settings

LEVELS = {"a.png": 10, "b.png": 200, "deep/a.png": 90}
BLACK = "the image is black"
STAND_INS = {"zebra": ["grass", "house", "tree", "ball"], "ghost": []}
"""Words that the bank does not know, and the nouns of the prototypes that they retrieve."""


@dataclass
class Worker:
    """Does what waits in a home; a black image fails. ``bank`` is what is in the bank now."""

    settings: Settings
    bank: dict[str, Any] = field(default_factory=lambda: {"additions": 1, "removals": "0"})
    done: list[str] = field(default_factory=list)
    proposed: list[str] = field(default_factory=list)
    resting: bool = False
    ended: bool = False

    def run(self) -> None:
        while not self.ended:
            time.sleep(0.02)
            if self.settings.database_file.exists() and not self.resting:
                with suppress(OperationalError):  # its tables are just being made
                    self._work()

    def _work(self) -> None:
        with reading(self.settings) as session:
            waiting = select(WorkItem, Job).join(Job).where(WorkItem.state == ItemState.QUEUED).order_by(WorkItem.id)
            found = [
                (item.id, item.number, item.input, job.id, job.parameters) for item, job in session.execute(waiting)
            ]
        for item_id, number, given, job_id, parameters in found:
            with Image.open(self.settings.artifacts_folder / given["image"]) as image:
                grey = np.asarray(image.convert("L"))
            if grey.any() and parameters.get("only_propose"):
                result = {"proposals": propose(int(grey[0, 0])), "bank_version": self.bank}
                ended: dict[str, Any] = {"state": ItemState.DONE, "result": result}
                ended_ones = self.proposed
            elif grey.any():
                _keep(result_folder(self.settings, job_id, number), grey, parameters, self.bank, given.get("proposals"))
                ended = {"state": ItemState.DONE}
                ended_ones = self.done
            else:
                ended, ended_ones = {"state": ItemState.FAILED, "error": BLACK}, []
            with writing(self.settings) as session:
                session.execute(update(WorkItem).where(WorkItem.id == item_id).values(**ended))
            ended_ones.append(given["name"])  # only now: where the database is locked, the item is done again


def propose(level: int) -> dict[str, Any]:
    """What is proposed for an image of a brightness: night and stars, or day, clouds and, where it is bright, sun."""
    areas = {"night": 0.7, "star": 0.3} if level < 128 else {"day": 0.6, "cloud": 0.4}
    areas |= {"sun": 0.1} if level > 240 else {}
    values = {"confidence": 0.75, "local": 0.6, "global": 0.3, "prototypes": 7, "merged": []}
    return {"nouns": 5, "categories": [{"noun": noun, "area_share": area, **values} for noun, area in areas.items()]}


def _keep(
    folder: Path,
    grey: np.ndarray,
    parameters: dict[str, Any],
    bank: dict[str, Any],
    proposals: dict[str, Any] | None,
) -> None:
    if parameters["categories"] is None:
        proposals = propose(int(grey[0, 0]))
        names = [category["noun"] for category in proposals["categories"]]
    else:
        names = [category["name"] for category in parameters["categories"]]
    label = int(grey[0, 0]) * len(names) // 256
    folder.mkdir(parents=True, exist_ok=True)
    keep_scores(folder / "scores.png", np.full(grey.shape, 0.5, dtype=np.float32))
    write_score_arrays(
        folder / "regions.npz", {"regions": np.zeros((4, 4), np.int32), "region_scores": np.ones((1, 2))}
    )
    categories = [
        {
            "name": name,
            "score": 0.5,
            "area_share": float(index == label),
            "absent": index != label,
            "words": [_word(text) for text in name.split("|")],
        }
        for index, name in enumerate(names)
    ]
    way = parameters["overrides"].get("unknown", "none")
    summary = {
        "categories": categories,
        "unknown_share": 0,
        "parameters": {"unknown": {"way": way}},
        "pack": "p",
        "bank_version": bank,
        **({} if proposals is None else {"proposals": proposals}),
    }
    (folder / "summary.json").write_text(json.dumps(summary))
    write_mask(folder / "mask.png", np.full(grey.shape, label), colours_of(parameters))


def _word(text: str) -> dict[str, Any]:
    nearest = [{"noun": noun, "retrieved": 2} for noun in STAND_INS.get(text, ["day"])]
    return {"text": text, "prototypes": 0 if text in STAND_INS else 7, "retrieved": 8, "nearest": nearest}


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def labels_of(mask: Path) -> set[int]:
    with Image.open(mask) as image:
        return set(np.unique(np.asarray(image)).tolist())
