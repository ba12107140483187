"""What the benchmark of segmentation works on: photos, models of the published sizes, the formula written plainly."""
