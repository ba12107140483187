"""The segmenter: one image and a list of categories in, one label a pixel out."""

from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.bank.class_prototypes import ClassPrototypes, Retrieval
from freeda_svc.bank.store import PrototypeStore
from freeda_svc.encoders import TEMPLATES
from freeda_svc.errors import InputError
from freeda_svc.images import ImageSource, load_image
from freeda_svc.packs import Pack
from freeda_svc.packs.parameters import SegmentationParameters
from freeda_svc.segmentation.categories import Category, check_categories
from freeda_svc.segmentation.checks import check_parameters
from freeda_svc.segmentation.merging import merge_windows
from freeda_svc.segmentation.result import Segmentation, score_categories
from freeda_svc.segmentation.scoring import cosine
from freeda_svc.segmentation.superpixels import cut_superpixels
from freeda_svc.segmentation.window_scores import score_window
from freeda_svc.segmentation.windows import cut_windows, resize_image, scaled_size

WINDOWS_AT_ONCE = 8


class _Stopwatch:
    """Seconds of the steps of one segmentation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, step: str) -> None:
        """Add the time since the last lap to a step."""
        now = perf_counter()
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._last
        self._last = now


class Segmenter:
    """Segments images with the models of a pack and the prototypes of a bank.

    The class prototypes of texts asked for before are kept, and follow the bank as it grows or loses prototypes. Not
    for several threads at once.

    Raises:
        InputError: the bank's prototypes were made with another pack.
    """

    def __init__(self, pack: Pack, store: PrototypeStore) -> None:
        if store.pack is not None and store.pack != pack.fingerprint:
            raise InputError(
                f"the bank was made with pack {store.pack}, but {pack.name} is {pack.fingerprint}; "
                "choose the pack of the bank, or a bank of this pack"
            )
        self._pack = pack
        self._prototypes = ClassPrototypes(store)

    def segment(
        self,
        image: ImageSource,
        categories: Sequence[Category],
        parameters: SegmentationParameters | None = None,
    ) -> Segmentation:
        """Label every pixel with one of the categories.

        Args:
            image: (H, W), (H, W, 3) or (H, W, 4) uint8 or uint16; a Pillow image; or the path of an image file.
            categories: at least one, with different names.
            parameters: how to segment; those of the pack when None.

        Returns:
            Labels at the size of the image, with the evidence for each category.

        Raises:
            InputError: the image, the categories or the parameters are not usable, or the bank is empty.
        """
        parameters = self._pack.parameters.segmentation if parameters is None else parameters
        check_parameters(parameters)
        categories = check_categories(categories)
        watch = _Stopwatch()
        pixels = load_image(image)
        size = pixels.shape[0], pixels.shape[1]
        scaled = scaled_size(*size, short_side=parameters.short_side, long_side=parameters.long_side)
        seen = resize_image(pixels, *scaled)
        windows = cut_windows(*scaled, window=parameters.window, stride=parameters.stride)
        crops = [seen[window.top : window.bottom, window.left : window.right] for window in windows]
        watch.lap("image")
        prototypes = self._class_prototypes([category.retrieval_text for category in categories], parameters)
        watch.lap("prototypes")
        features, global_similarity = self._encode(crops, categories, parameters.beta)
        watch.lap("encoders")
        superpixels = [torch.from_numpy(cut_superpixels(crop, parameters.superpixels)) for crop in crops]
        watch.lap("superpixels")
        scores = [
            score_window(features[index], superpixels[index], prototypes, global_similarity[index], parameters.beta)
            for index in range(len(windows))
        ]
        merged = merge_windows(list(zip(windows, scores, strict=True)), scaled, size)
        watch.lap("scores")
        return Segmentation(
            labels=merged.labels,
            categories=categories,
            scores=score_categories(categories, merged),
            regions=sum(score.regions for score in scores),
            windows=len(windows),
            parameters=parameters,
            pack=self._pack.fingerprint,
            timings=watch.seconds,
        )

    def segment_many(
        self,
        images: Iterable[ImageSource],
        categories: Sequence[Category],
        parameters: SegmentationParameters | None = None,
    ) -> Iterator[Segmentation]:
        """Segment images one after the other, into the same categories."""
        for image in images:
            yield self.segment(image, categories, parameters)

    def _class_prototypes(self, texts: Sequence[str], parameters: SegmentationParameters) -> torch.Tensor:
        """Return (N, Dv) class prototypes, eq. 4."""
        retrieval = Retrieval(
            k=parameters.k,
            origins=frozenset(parameters.origins) or None,
            exemplar_weight=max(1.0, parameters.exemplar_share * parameters.k),
        )
        return torch.from_numpy(self._prototypes.fetch(texts, self._embed, retrieval, templates=TEMPLATES))

    def _embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self._pack.image_text.embed_nouns(texts).numpy()

    def _encode(
        self, crops: Sequence[npt.NDArray[np.uint8]], categories: Sequence[Category], beta: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the windows' dense features (B, Dv, h, w) and global similarities (B, N).

        Where beta leaves the global similarity out, it is not computed but zero.
        """
        features, global_similarity = [], []
        texts = self._pack.image_text.embed_nouns([category.embedded_text for category in categories])
        for start in range(0, len(crops), WINDOWS_AT_ONCE):
            batch = torch.from_numpy(np.stack(crops[start : start + WINDOWS_AT_ONCE]))
            images = batch.permute(0, 3, 1, 2).float().div(255)
            features.append(self._pack.backbone.features(images))
            if beta < 1:
                global_similarity.append(cosine(self._pack.image_text.embed_images(images), texts))
            else:
                global_similarity.append(torch.zeros(len(images), len(categories)))
        return torch.cat(features), torch.cat(global_similarity)
