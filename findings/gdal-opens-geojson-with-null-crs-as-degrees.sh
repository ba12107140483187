#!/usr/bin/env bash
# GDAL, and with it geopandas, opens GeoJSON that says it has no coordinate system as degrees on the globe.
#
# Versions: geopandas 1.2.0, pyogrio 0.13.0 with GDAL 3.12.4, Python 3.11.
# Guess before running: "crs": null keeps coordinates free of a system, since the GeoJSON format of 2008, where the member
#   comes from, says that a null can be taken for "no coordinate reference system can be assumed"; and a name that nobody knows is
#   an error, or gives none.
# Seen: both are opened as EPSG:4326, without a warning, just like a file that says nothing (where RFC 7946 asks for it), so that
#   polygons in pixels lie on the globe and areas are counted in square degrees. What GDAL does take from "crs" is any text that
#   it can parse as a system: a name that holds the well-known text of an engineering system gives coordinates in pixels.
# Fails when null, or an unknown name, is no longer opened as EPSG:4326, or the engineering system is not taken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --quiet --disable-pip-version-check geopandas==1.2.0 pyogrio==0.13.0

cat > read.py <<'PYTHON'
import json

import geopandas

PIXELS = (
    'ENGCRS["image pixels",EDATUM["corner of the image"],CS[Cartesian,2],'
    'AXIS["x",east,ORDER[1]],AXIS["y",south,ORDER[2]],LENGTHUNIT["pixel",1]]'
)
ring = [[0, 0], [400, 0], [400, 300], [0, 300], [0, 0]]
feature = {"type": "Feature", "properties": {"category": "boat"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
systems = {
    "null": None,
    "unknown": {"type": "name", "properties": {"name": "pixels"}},
    "engineering": {"type": "name", "properties": {"name": PIXELS}},
}
for kind, system in systems.items():
    with open("boat.geojson", "w") as file:
        json.dump({"type": "FeatureCollection", "crs": system, "features": [feature]}, file)
    found = geopandas.read_file("boat.geojson").crs
    print(kind, found and (found.to_string() if found.is_geographic else found.type_name))
PYTHON
venv/bin/python read.py | tee seen
printf '%s\n' "null EPSG:4326" "unknown EPSG:4326" "engineering Engineering CRS" > expected
cmp seen expected
