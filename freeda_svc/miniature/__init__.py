"""The bundled packs: a painter of scenes with captions and true labels, the training recipe, and the weights."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.miniature.scenes import EASY, HARD, NOUNS, Scene, paint_scene
    from freeda_svc.miniature.things import THINGS
    from freeda_svc.miniature.worlds import SMALL, WIDE, WORLDS, Reader, SceneStyle, World
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
