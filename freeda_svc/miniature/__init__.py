"""The bundled pack: a painter of scenes with captions and true labels, the training recipe, and the weights."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, Scene, SceneStyle, paint_scene
    from freeda_svc.miniature.things import THINGS

__all__ = [
    "EASY",
    "HARD",
    "NOUNS",
    "Scene",
    "SceneStyle",
    "THINGS",
    "paint_scene",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.miniature.scenes": ("EASY", "HARD", "NOUNS", "Scene", "SceneStyle", "paint_scene"),
        "freeda_svc.miniature.things": ("THINGS",),
    },
)
