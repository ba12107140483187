"""The segmenter: an image and a list of categories in, a label per pixel out."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import numpy.typing as npt
import torch

from freeda_svc.bank import PrototypeStore, Revision
from freeda_svc.bank.class_prototypes import ClassPrototypes
from freeda_svc.errors import InputError
from freeda_svc.images import ImageSource, LoadedImage, each_image, load_visible
from freeda_svc.packs import Pack, describe_encoders
from freeda_svc.parameters import Category, ProposalParameters, SegmentationParameters, check_categories
from freeda_svc.segmentation.aggregation import TextPrototypes
from freeda_svc.segmentation.decision import Decision
from freeda_svc.segmentation.encoding import EncodedWindow, encode_windows
from freeda_svc.segmentation.evidence import DEFAULT_LIMITS, Evidence, EvidenceLimits, explain
from freeda_svc.segmentation.given_regions import RegionMap, check_regions, cut_given, label_given
from freeda_svc.segmentation.known_words import KnownWord, WordKnowledge
from freeda_svc.segmentation.noun_centres import KeptNounCentres
from freeda_svc.segmentation.parts import nearest_pixels
from freeda_svc.segmentation.proposals import DEFAULT_PROPOSALS, Proposals, propose
from freeda_svc.segmentation.result import UNKNOWN, Segmentation, score_categories
from freeda_svc.segmentation.scoring import Ensemble, cosine
from freeda_svc.segmentation.superpixels import NO_SUPERPIXEL, prepare_superpixels
from freeda_svc.segmentation.unknown import mark_transparent
from freeda_svc.segmentation.votes import appearance_support
from freeda_svc.segmentation.windows import Window, place_windows, resize_image, scaled_size


class _Stopwatch:
    """Seconds of the steps of one segmentation."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, step: str) -> None:
        """Add the time since the last lap to a step."""
        now = perf_counter()
        self.add(step, now - self._last)
        self._last = now

    def add(self, step: str, seconds: float) -> None:
        """Add time to a step."""
        self.seconds[step] = self.seconds.get(step, 0.0) + seconds


@dataclass(frozen=True, eq=False)
class _PendingImage:
    """An image whose windows have not all been encoded yet.

    Attributes:
        size: height and width of the image.
        scaled_image: (h, w, 3) uint8, the image at the scale that the models see.
        visible: (H, W) bool, where the image is not transparent; None for everywhere.
        own: (H, W) int32, the caller's own regions; None where there are none.
        given: (h, w) int32, these or the mask generator's at the scale that the models see; None for superpixels alone.
        categories: that its pixels are labelled with.
        windows: the places of its windows in the scaled image.
        text_embeddings: (T, Dt) float32, of the texts of the categories.
        words: what the bank knows of the words of each category.
        revision: of the bank at that moment.
        decision: collects the scores of the windows.
        watch: the seconds that it took.
    """

    size: tuple[int, int]
    scaled_image: npt.NDArray[np.uint8]
    visible: npt.NDArray[np.bool_] | None
    own: RegionMap | None
    given: RegionMap | None
    categories: tuple[Category, ...]
    windows: tuple[Window, ...]
    text_embeddings: torch.Tensor
    words: tuple[tuple[KnownWord, ...], ...]
    revision: Revision
    decision: Decision
    watch: _Stopwatch


class Segmenter:
    """Segments images with the models of a pack and the prototypes of a bank.

    Class prototypes are cached, and follow the bank as it grows or loses prototypes. Not for several threads at once.

    Attributes:
        pack: the models.
        store: the bank.
        bank: its name and version, for results; empty when it has none.

    Raises:
        InputError: the bank's prototypes were made with another pack.
        UnavailableError: the pack's superpixels need a library that is not installed.
    """

    def __init__(self, pack: Pack, store: PrototypeStore, *, bank: str = "") -> None:
        """Take a pack and a bank.

        Args:
            pack: the models.
            store: the bank.
            bank: its name and version, for results; empty when it has none.
        """
        if store.pack is not None and not pack.description.fits(store.pack):
            raise InputError(
                f"the bank was made with pack {store.pack}, but {pack.name} is {pack.fingerprint}, with the encoders "
                f"{pack.encoders_fingerprint}; "
                "choose the pack of the bank, or a bank of this pack"
            )
        prepare_superpixels(pack.parameters.segmentation.superpixels)
        self.pack = pack
        self.store = store
        self.bank = bank
        self._prototypes: TextPrototypes | None = None
        self._knowledge: WordKnowledge | None = None
        self._centres = KeptNounCentres(store)

    def segment(
        self,
        image: ImageSource,
        categories: Sequence[Category | str],
        parameters: SegmentationParameters | None = None,
    ) -> Segmentation:
        """Label every pixel with one of the categories, or none.

        Args:
            image: the path of an image file, a Pillow image, or an (H, W, 3) uint8 array or torch tensor; see
                ``freeda_svc.images.load_visible``. A loaded image may bring regions of its own.
            categories: at least one, with different names; texts such as ``dog`` or ``cat|kitten`` will do.
            parameters: how to segment; those of the pack when None.

        Returns:
            Labels at the size of the image, with the evidence for each category.

        Raises:
            InputError: the image, the categories or the parameters are not usable, or the bank is empty.
        """
        return next(self.segment_many([image], categories, parameters))

    def segment_many(
        self,
        images: Iterable[ImageSource],
        categories: Sequence[Category | str],
        parameters: SegmentationParameters | None = None,
    ) -> Iterator[Segmentation]:
        """Segment images into the same categories, their windows together through the models.

        Args:
            images: as ``segment`` takes them; read a batch of windows ahead.
            categories: at least one, with different names; texts such as ``dog`` or ``cat|kitten`` will do.
            parameters: how to segment; those of the pack when None.

        Yields:
            What ``segment`` returns for each image, in order.

        Raises:
            InputError: as from ``segment``; after the images before the one that is not usable.
        """
        checked = check_categories(categories)
        yield from self.segment_each(((image, checked) for image in each_image(images)), parameters)

    def segment_each(
        self,
        images: Iterable[tuple[ImageSource, Sequence[Category | str]]],
        parameters: SegmentationParameters | None = None,
    ) -> Iterator[Segmentation]:
        """Segment images, each into categories of its own, their windows together through the models.

        Args:
            images: each with its categories, both as ``segment`` takes them; read a batch of windows ahead.
            parameters: how to segment; those of the pack when None.

        Yields:
            What ``segment`` returns for each image, in order.

        Raises:
            InputError: as from ``segment``; after the images before the one that is not usable.
        """
        parameters = self.pack.parameters.segmentation if parameters is None else parameters
        pending: deque[_PendingImage] = deque()
        encoded = encode_windows(
            self.pack, self._crops(images, parameters, pending), parameters.superpixels, embed=parameters.beta < 1
        )
        for window in encoded:
            image = pending[0]
            self._score(window, image)
            if len(image.decision.windows) == len(image.windows):
                yield self._finish(pending.popleft(), parameters)

    def explain(
        self, image: ImageSource, segmentation: Segmentation, limits: EvidenceLimits = DEFAULT_LIMITS
    ) -> Evidence:
        """Explain a segmentation: which prototypes agree with each category, and how regions were scored.

        Args:
            image: the one that was segmented, as ``segment`` takes it.
            segmentation: what this segmenter returned for it.
            limits: how many prototypes and categories are named.

        Raises:
            InputError: the image is not usable or has another size than what was segmented.
            NotFoundError: prototypes are removed from the bank faster than they can be read.
            UnavailableError: the bank does not answer.
        """
        pixels = load_visible(image, segmentation.parameters.fill_transparent).pixels
        return explain(self.pack, self.store, self._text_prototypes(), pixels, segmentation, limits=limits)

    def propose(
        self,
        image: ImageSource,
        parameters: SegmentationParameters | None = None,
        proposing: ProposalParameters = DEFAULT_PROPOSALS,
    ) -> Proposals:
        """Propose categories for an image: the nouns of the bank that it seems to show.

        The first time goes through the whole bank; later ones only read nouns with new prototypes.

        Args:
            image: as ``segment`` takes it.
            parameters: how the image is cut and scored; those of the pack when None.
            proposing: how categories are proposed.

        Returns:
            At least one proposal; their ``categories`` are what ``segment`` takes.

        Raises:
            InputError: the image or the parameters are not usable, or the bank has no nouns.
            UnavailableError: the bank does not answer.
        """
        parameters = self.pack.parameters.segmentation if parameters is None else parameters
        loaded = load_visible(image, parameters.fill_transparent)
        size = loaded.pixels.shape[0], loaded.pixels.shape[1]
        scaled = scaled_size(*size, short_side=parameters.short_side, long_side=parameters.long_side)
        given = self._given_regions(loaded, scaled, parameters)
        found = propose(
            self.pack,
            self._centres.current(),
            loaded.pixels,
            parameters,
            proposing,
            visible=loaded.visible,
            regions=given,
        )
        return replace(found, bank=self.bank)

    def _crops(
        self,
        images: Iterable[tuple[ImageSource, Sequence[Category | str]]],
        parameters: SegmentationParameters,
        pending: "deque[_PendingImage]",
    ) -> Iterator[npt.NDArray[np.uint8]]:
        """Read images and yield their windows; each image is appended to ``pending`` before its first window."""
        for image, asked in images:
            watch = _Stopwatch()
            categories = check_categories(asked)
            loaded = load_visible(image, parameters.fill_transparent)
            pixels, visible = loaded.pixels, loaded.visible
            size = pixels.shape[0], pixels.shape[1]
            scaled = scaled_size(*size, short_side=parameters.short_side, long_side=parameters.long_side)
            scaled_image = resize_image(pixels, *scaled)
            windows = place_windows(*scaled, parameters)
            watch.lap("image")
            given = self._given_regions(loaded, scaled, parameters)
            if given is not None:
                watch.lap("regions")
            revision = self.store.revision()
            texts = [text for category in categories for text in category.retrieval_texts]
            compare = self._text_prototypes().comparison(texts, parameters, revision)
            words = self._word_knowledge().of(categories, parameters, revision)
            embeddings = self.pack.image_text.embed_nouns([text for category in categories for text in category.texts])
            support = appearance_support(self.store, embeddings, parameters)
            watch.lap("prototypes")
            ensemble = Ensemble(
                beta=parameters.beta,
                local_similarity=parameters.local_similarity,
                texts=tuple(len(category.texts) for category in categories),
                synonyms=parameters.synonyms,
                appearance_weight=parameters.appearance_weight,
            )
            pending.append(
                _PendingImage(
                    size=size,
                    scaled_image=scaled_image,
                    visible=visible,
                    own=loaded.regions,
                    given=given,
                    categories=categories,
                    windows=windows,
                    text_embeddings=embeddings,
                    words=words,
                    revision=revision,
                    decision=Decision(compare, ensemble, parameters, support),
                    watch=watch,
                )
            )
            del pixels, loaded
            for window in windows:
                yield scaled_image[window.top : window.bottom, window.left : window.right]

    def _given_regions(
        self, image: LoadedImage, scaled: tuple[int, int], parameters: SegmentationParameters
    ) -> RegionMap | None:
        """Return the regions that are given for an image, or found by the mask generator, at the scaled size."""
        if image.regions is not None:
            check_regions(image.regions, (image.pixels.shape[0], image.pixels.shape[1]))
            return nearest_pixels(image.regions, scaled)
        if parameters.regions.way == "masks":
            return self.pack.masks.regions(image.pixels, scaled, parameters.regions)
        return None

    def _score(self, window: EncodedWindow, image: _PendingImage) -> None:
        """Score the regions of a window; the global similarity is zero where beta leaves it out."""
        started = perf_counter()
        if window.embedding is None:
            global_similarity = torch.zeros(len(image.text_embeddings))
        else:
            global_similarity = cosine(window.embedding[None], image.text_embeddings)[0]
        place = image.windows[len(image.decision.windows)]
        regions = window.superpixels if image.given is None else cut_given(image.given, place, window.superpixels)
        image.decision.add_window(place, window.features, regions, global_similarity)
        image.watch.add("encoders", window.encoder_seconds)
        image.watch.add("superpixels", window.superpixel_seconds)
        image.watch.add("scores", perf_counter() - started)

    def _finish(self, image: _PendingImage, parameters: SegmentationParameters) -> Segmentation:
        """Merge the windows of an image."""
        started = perf_counter()
        merged = image.decision.decide(image.scaled_image, image.size)
        visible = image.visible
        if image.own is not None and parameters.refinement.way == "none":
            merged = label_given(merged, image.own if visible is None else np.where(visible, image.own, NO_SUPERPIXEL))
        if visible is not None:
            merged = mark_transparent(merged, visible, refined=parameters.refinement.way != "none")
        image.watch.add("scores", perf_counter() - started)
        return Segmentation(
            labels=merged.labels,
            categories=image.categories,
            scores=score_categories(image.categories, merged),
            regions=sum(scores.regions for _, scores in image.decision.windows),
            windows=len(image.windows),
            parameters=parameters,
            pack=self.pack.fingerprint,
            encoders=describe_encoders(self.pack.computing),
            timings=image.watch.seconds,
            bank=self.bank,
            bank_revision=image.revision,
            words=image.words,
            unknown_share=float((merged.labels == UNKNOWN).mean()),
            transparent_share=0.0 if visible is None else float(1 - visible.mean()),
            region_scores=merged.regions,
            pixel_scores=merged.scores,
            given_regions=image.given,
        )

    def _text_prototypes(self) -> TextPrototypes:
        if self._prototypes is None:
            self._prototypes = TextPrototypes(ClassPrototypes(self.store), self.pack.image_text)
        return self._prototypes

    def known_words(
        self, texts: Sequence[str], parameters: SegmentationParameters | None = None
    ) -> tuple[KnownWord, ...]:
        """Tell what the bank knows of words, without any image.

        Args:
            texts: each would be a category, or a synonym of one.
            parameters: how many prototypes each retrieves; those of the pack when None.

        Raises:
            InputError: the bank is empty or nothing in it is to be retrieved.
            UnavailableError: the engine does not answer.
        """
        parameters = self.pack.parameters.segmentation if parameters is None else parameters
        words = [Category(text) for text in texts]
        found = self._word_knowledge().look_up(words, parameters, self.store.revision())
        return tuple(word for (word,) in found)

    def _word_knowledge(self) -> WordKnowledge:
        if self._knowledge is None:
            self._knowledge = WordKnowledge(self.store, self._text_prototypes())
        return self._knowledge
