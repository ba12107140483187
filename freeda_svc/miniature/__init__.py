"""The bundled miniature pack: a painted world, the recipe that trains its models, and their weights."""
