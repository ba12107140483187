"""Label maps as polygons along the borders of pixels, holes kept: filling them gives the label map back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from freeda_svc.outputs.masks import UNKNOWN
from freeda_svc.outputs.pieces import Piece

_OUTSIDE = UNKNOWN - 1
_LEAST_OFF = 0.75
"""Pixels; the corners of pixels along a slanting border are 0.71 off it."""
_OFF_SHARE = 1000
_TRIANGLE = 3

PIXELS = (
    'ENGCRS["image pixels",EDATUM["upper left corner of the image"],CS[Cartesian,2],'
    'AXIS["x",east,ORDER[1]],AXIS["y",south,ORDER[2]],LENGTHUNIT["pixel",1]]'
)
"""The coordinate system, as well-known text (ISO 19162): readers built on GDAL take it from ``crs``; where that is
missing, null or not understood, they take coordinates for degrees."""

Bools = npt.NDArray[np.bool_]


def _straight_borders(along: Bools, crossing: Bools) -> npt.NDArray[np.int64]:
    """Join unit borders into the longest straight ones that no other border meets on the way.

    Args:
        along: (n + 1, m) whether there is a border along the grid line i, from corner j to corner j + 1.
        crossing: (n, m + 1) whether there is one across, from line i to line i + 1, at corner j.

    Returns:
        (s, 3) int64: grid line, first and last corner.
    """
    lines, units = along.shape
    before = np.zeros((lines, units + 1), dtype=np.bool_)
    after = before.copy()
    before[:, 1:], after[:, :-1] = along, along
    met = np.zeros_like(before)
    met[1:] |= crossing
    met[:-1] |= crossing
    begins = np.argwhere(after & (met | ~before))
    ends = np.argwhere(before & (met | ~after))
    return np.column_stack((begins, ends[:, 1]))


def _cut(labels: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
    """Cut the picture along the borders of its labels into polygons, each of one connected piece."""
    padded = np.pad(labels, 1, constant_values=_OUTSIDE)
    level = padded[1:, 1:-1] != padded[:-1, 1:-1]
    upright = padded[1:-1, 1:] != padded[1:-1, :-1]
    across, down = _straight_borders(level, upright), _straight_borders(upright.T, level.T)
    corners = np.concatenate(
        (
            np.stack((across[:, [1, 0]], across[:, [2, 0]]), axis=1),  # (x, y) of both ends
            np.stack((down[:, [0, 1]], down[:, [0, 2]]), axis=1),
        )
    )
    return np.asarray(shapely.get_parts(shapely.polygonize(shapely.linestrings(corners))))


def trace_polygons(labels: npt.NDArray[np.int32]) -> dict[int, list[shapely.Polygon]]:
    """Trace the outlines of every category.

    Args:
        labels: (H, W) int32, -1 where unknown.

    Returns:
        For each category that is present, in ascending order, its connected pieces as valid polygons. Coordinates are
        whole numbers of pixels, (0, 0) is the upper left corner of the image; a piece's area is its number of pixels.
        Pieces that touch at a corner only are two.
    """
    pieces = shapely.orient_polygons(_cut(labels))
    inside = shapely.point_on_surface(pieces)
    columns, rows = np.floor(shapely.get_x(inside)).astype(int), np.floor(shapely.get_y(inside)).astype(int)
    of_piece = labels[rows, columns]
    present = np.unique(of_piece)
    return {int(label): pieces[of_piece == label].tolist() for label in present if label != UNKNOWN}


def trace_piece(piece: Piece) -> shapely.Polygon:
    """Trace the outline of a piece, in pixels from the corner of its box."""
    [polygon] = trace_polygons(np.where(piece.inside, 0, UNKNOWN).astype(np.int32))[0]
    return polygon


def one_ring(polygon: shapely.Polygon) -> npt.NDArray[np.int64]:
    """Join the holes of a polygon to its outline by cuts without width, each to the left from a hole's leftmost corner.

    Args:
        polygon: its edges are upright or level, its corners whole numbers.

    Returns:
        (n, 2) int64, x and y of the corners of a closed ring: what is inside by the even-odd rule, or by the non-zero
            one, is the polygon.
    """
    ring = shapely.get_coordinates(shapely.orient_polygons(polygon).exterior).astype(np.int64)
    holes = [shapely.get_coordinates(hole).astype(np.int64)[:-1] for hole in shapely.orient_polygons(polygon).interiors]
    for hole in sorted(holes, key=lambda corners: int(corners[:, 0].min())):
        first = int(np.lexsort((hole[:, 1], hole[:, 0]))[0])
        around = np.roll(hole, -first, axis=0)
        x, y = around[0]
        begins, ends = ring[:-1], ring[1:]
        low, high = np.minimum(begins[:, 1], ends[:, 1]), np.maximum(begins[:, 1], ends[:, 1])
        met = np.flatnonzero((begins[:, 0] == ends[:, 0]) & (low <= y) & (y <= high) & (begins[:, 0] <= x))
        edge = int(met[begins[met, 0].argmax()])
        foot = np.array([[begins[edge, 0], y]])
        ring = np.concatenate((ring[: edge + 1], foot, around, around[:1], foot, ring[edge + 1 :]))
    return np.asarray(ring)


def outline_of(piece: Piece, size: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Draw a piece as one polygon with few corners, for people who move these; holes are reached by cuts without width.

    Args:
        piece: of an image.
        size: the image's height and width.

    Returns:
        (n, 2) float64, x and y of the corners in pixels from the image's corner, not closed; at most 0.75 pixels off
            the border, or a thousandth of the image's longer side.
    """
    ring = one_ring(trace_piece(piece))
    off = max(_LEAST_OFF, max(size) / _OFF_SHARE)
    simple = shapely.get_coordinates(shapely.simplify(shapely.linestrings(ring), off, preserve_topology=False))
    corners = simple if len(simple) > _TRIANGLE else ring
    return np.add(corners[:-1], (piece.left, piece.top), dtype=np.float64)


def _rings(polygon: shapely.Polygon) -> list[list[list[int]]]:
    return [shapely.get_coordinates(ring).astype(int).tolist() for ring in (polygon.exterior, *polygon.interiors)]


def feature_collection(
    labels: npt.NDArray[np.int32], names: Sequence[str], scores: Sequence[float | None], file: str
) -> dict[str, Any]:
    """Return a label map in the form of GeoJSON: one feature a category that is present.

    Args:
        labels: (H, W) int32, -1 where unknown.
        names: of the categories.
        scores: mean score of each category; None where it is absent.
        file: path of the image.

    Returns:
        A ``FeatureCollection`` whose coordinates are pixels of the image, x to the right and y down, instead of
        degrees, as its ``crs`` says; each geometry is a ``MultiPolygon`` whose polygons may have holes.
    """
    height, width = labels.shape
    pixels = np.bincount(labels.ravel() + 1, minlength=len(names) + 1)[1:]
    return {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": PIXELS}},
        "image": {"file_name": file, "height": height, "width": width},
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "category": names[label],
                    "index": label,
                    "score": scores[label],
                    "area_pixels": int(pixels[label]),
                    "area_share": float(pixels[label] / labels.size),
                },
                "geometry": {"type": "MultiPolygon", "coordinates": [_rings(piece) for piece in pieces]},
            }
            for label, pieces in trace_polygons(labels).items()
        ],
    }
