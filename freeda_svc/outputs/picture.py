"""What files of every format are made of."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from freeda_svc.images import PAPER, load_visible
from freeda_svc.input_files import KEPT
from freeda_svc.outputs.kept import KeptResult
from freeda_svc.outputs.shown_colours import noted_colours, shown_colours


@dataclass(frozen=True)
class Picture:
    """A segmented image that is to be handed over.

    Attributes:
        stem: what its files are called, without their endings: a path relative to the folder they go to.
        file: the image's own name, perhaps with folders, as other programs are told it.
        image: where its pixels are.
        result: what is kept of its segmentation.
        colours: (N, 3) uint8, RGB, one a category, as masks have them.
    """

    stem: str
    file: str
    image: Path
    result: KeptResult
    colours: npt.NDArray[np.uint8]

    def pixels(self) -> npt.NDArray[np.uint8]:
        """Return the (H, W, 3) uint8 pixels that were segmented; what is transparent is white where nothing fills it.

        Raises:
            InputError: the image cannot be read any more.
            NotFoundError: what was kept of the result is gone.
        """
        fill = self.result.summary.get("parameters", {}).get("fill_transparent", "")
        return load_visible(self.image, fill or PAPER, KEPT).pixels

    def shown_colours(self, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
        """Return the (N, 3) uint8 colours to show its (H, W) labels in, as the job's other pictures do."""
        return shown_colours(self.result.folder.parent, self.result.names, self.colours, labels)

    def noted_colours(self) -> npt.NDArray[np.uint8]:
        """Return the (N, 3) uint8 colours that the job's pictures have been shown in."""
        return noted_colours(self.result.folder.parent, self.result.names, self.colours)
