"""The sentences into which nouns and categories are put before they are embedded."""

TEMPLATES: tuple[str, ...] = (
    "itap of a {}.",
    "a bad photo of a {}.",
    "a origami {}.",
    "a photo of the large {}.",
    "a {} in a video game.",
    "art of the {}.",
    "a photo of the small {}.",
)
"""The seven templates of the released inference code."""


def fill(template: str, noun: str) -> str:
    """Put a noun into a template; braces in the noun are kept as they are."""
    return template.replace("{}", noun)
