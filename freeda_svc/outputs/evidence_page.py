"""The evidence for a segmentation, as JSON and as one self-contained page."""

import base64
import html
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.counts import counted
from freeda_svc.errors import InputError, NotFoundError
from freeda_svc.outputs.blending import mean_colours, reduce_to
from freeda_svc.outputs.differences import GREY
from freeda_svc.outputs.files import check_suffix, content_digest, page_part, write_whole
from freeda_svc.outputs.masks import check_labels
from freeda_svc.outputs.names import file_text
from freeda_svc.outputs.palettes import UNKNOWN_SHOWN
from freeda_svc.outputs.prototype_pictures import compose_prototype

MOST_SIDE = 1280
"""Longer side of the picture on a page, at most, pixels."""

_LOSSLESS_SIDE = 320
_THUMBNAIL_WIDTH = 288
_QUALITY = 82


def write_evidence(path: Path, evidence: Mapping[str, Any]) -> None:
    """Write evidence as UTF-8 JSON.

    Args:
        path: ends in .json; the folder exists.
        evidence: as ``freeda_svc.segmentation.evidence_values`` returns it.

    Raises:
        InputError: the name ends otherwise.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".json")
    write_whole(path, json.dumps(evidence, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def write_evidence_page(
    path: Path,
    evidence: Mapping[str, Any],
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    *,
    colours: npt.NDArray[np.uint8],
    artifacts: Path,
    title: str,
) -> None:
    """Write evidence as one HTML page with all that it shows inside; it asks nothing of any network.

    Args:
        path: ends in .html; the folder exists.
        evidence: as ``write_evidence`` takes it.
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) integers, positions in the evidence's ``names``, or -1 where unknown.
        colours: (N, 3) uint8, RGB, one per name.
        artifacts: the folder that paths of thumbnails are relative to; those that are not in it are left out.
        title: such as the image's name; shown as it is.

    Raises:
        InputError: the name ends otherwise, or image, labels, names and colours do not fit together.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".html")
    names = evidence["names"]
    check_labels(labels, len(names))
    if image.shape != (*labels.shape, 3) or image.dtype != np.uint8 or len(colours) < len(names):
        raise InputError(
            f"the image must be (H, W, 3) uint8 like the labels {labels.shape}, with a colour for each name, "
            f"{len(names)}, not {image.shape} {image.dtype} with {counted(len(colours), 'colour')}"
        )
    shown, of_shown = reduce_to(MOST_SIDE, image, labels)
    under = np.nan_to_num(mean_colours(shown, of_shown, len(names)), nan=GREY)
    pictures = {
        "colours": colours[: len(names)].tolist(),
        "unknown": UNKNOWN_SHOWN,
        "under": np.roll(under, -1, axis=0).round().astype(int).tolist(),  # of what is unknown last
        "prototypes": {
            prototype["id"]: _thumbnail(artifacts, prototype)
            for category in evidence["categories"]
            for prototype in category["prototypes"]
        },
    }
    style, script = page_part("evidence.css"), page_part("evidence.js")
    page = Template(page_part("evidence.html")).substitute(
        title=html.escape(file_text(title)),
        style=style,
        script=script,
        style_hash=content_digest(style),
        script_hash=content_digest(script),
        picture=_as_uri(Image.fromarray(shown), "PNG" if max(shown.shape) <= _LOSSLESS_SIDE else "JPEG"),
        mask=_mask(of_shown, colours),
        evidence=_inside_script(evidence),
        pictures=_inside_script(pictures),
    )
    write_whole(path, page.encode())


def _inside_script(values: object) -> str:
    """JSON that no HTML parser takes for markup, whatever text is in it."""
    text = json.dumps(values, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _mask(labels: npt.NDArray[np.integer], colours: npt.NDArray[np.uint8]) -> str:
    """Colours of the labels; what is unknown is grey."""
    table = np.vstack((colours, [UNKNOWN_SHOWN])).astype(np.uint8)  # the last is for what is unknown, -1
    return _as_uri(Image.fromarray(table[labels]), "PNG")


def _thumbnail(artifacts: Path, prototype: Mapping[str, Any]) -> str | None:
    """What a prototype was pooled from, beside the same dimmed outside its mask; None when nothing was kept."""
    try:
        picture = compose_prototype(artifacts, prototype["image"], prototype["mask"])
    except NotFoundError:
        return None
    picture.thumbnail((_THUMBNAIL_WIDTH, _THUMBNAIL_WIDTH), Image.Resampling.LANCZOS)
    return _as_uri(picture, "JPEG")


def _as_uri(picture: Image.Image, kind: str) -> str:
    content = BytesIO()
    picture.save(content, format=kind, **({"quality": _QUALITY} if kind == "JPEG" else {}))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"
