"""Checkpoints with random weights in the layouts of real packs, small enough to make for every test run.

The libraries they need are imported inside the fixtures: tests that do without them start at once. What makes
those libraries importable comes first, because test modules import them directly.
"""

import gc
import os
import signal

# Before anything loads a library that reads it; processes that tests start inherit it. The models of tests are small:
# with a thread for each core they wait more for each other than they compute, most of all when others use the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of hundreds of processes would compile every module again

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

import freeda_svc.torchvision_operators  # noqa: F401
from freeda_svc import migrations
from tests.described_pack import write_described_pack

if TYPE_CHECKING:
    from transformers import CLIPTokenizer

    from freeda_svc.packs import Pack
    from tests.postgresql import PostgresServer

settings.register_profile("steady", deadline=None, derandomize=True)  # a busy machine must not fail a test
settings.register_profile("quick", deadline=None, derandomize=True, max_examples=20)  # of `make test-fast`
settings.load_profile("steady")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs this in the background has it ignored
gc.disable()  # until all test modules are imported: that makes no garbage, but many objects to look through


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with tests of whole processes first: of several that run tests, none begins a long one last."""
    long = {item.path for item in items if item.get_closest_marker("end_to_end")}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collections to come: model libraries are a million objects."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """A command that ran in the test's process leaves its way of logging to no other test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Compute with one thread: on matrices as small as those of tests, more cost much and gain nothing."""
    import torch  # noqa: PLC0415

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> "CLIPTokenizer":
    """The miniature world's words, 32 tokens at most."""
    from freeda_svc.miniature.training import pool, vocabulary  # noqa: PLC0415

    def paint_few(style: object, count: int, **named: int) -> object:
        return pool.paint_pool(style, min(count, 40), **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "paint_pool", paint_few)
        return vocabulary.train(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def tiny_models_folder(tmp_path_factory: pytest.TempPathFactory, tiny_tokenizer: "CLIPTokenizer") -> Path:
    """A folder with generator, backbone and image-text model, untrained, without a manifest. Do not write to it."""
    import torch  # noqa: PLC0415

    from freeda_svc.miniature.training import autoencoder, backbone, generator, image_text  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("tiny-models")
    with torch.random.fork_rng(devices=[]):
        model = generator.build(tiny_tokenizer)
        generator.save(folder / "generator", model, autoencoder.build(), tiny_tokenizer)
        backbone.save(folder / "backbone", backbone.build())
        image_text.save(folder / "image_text", image_text.build(tiny_tokenizer), tiny_tokenizer)
    return folder


def _tiny_parameters() -> object:
    from freeda_svc.parameters import (  # noqa: PLC0415
        GenerationParameters,
        PackParameters,
        PrototypeParameters,
        SegmentationParameters,
        SuperpixelParameters,
    )

    return PackParameters(
        backbone_size=64,
        image_text_size=64,
        generation=GenerationParameters(steps=2, guidance_scale=4.0, height=64, width=64, batch_size=4),
        prototypes=PrototypeParameters(gamma=0.45, alpha=0.9),
        segmentation=SegmentationParameters(
            k=5,
            beta=0.8,
            short_side=64,
            long_side=256,
            window=64,
            stride=32,
            superpixels=SuperpixelParameters(algorithm="felzenszwalb", scale=20.0, sigma=0.5, min_size=8),
        ),
    )


@pytest.fixture(scope="session")
def tiny_pack_folder(tiny_models_folder: Path) -> Path:
    """A complete pack of untrained models, two steps a generation. Do not write to it: copy it."""
    from freeda_svc.packs import write_pack_manifest  # noqa: PLC0415
    from freeda_svc.parameters import Source  # noqa: PLC0415

    write_pack_manifest(
        tiny_models_folder,
        name="tiny",
        version="1",
        description="Random weights for tests.",
        parameters=_tiny_parameters(),
        sources={
            part: Source(description="Random weights.", licence="Apache-2.0", origin="made by the tests")
            for part in ("generator", "backbone", "image_text")
        },
    )
    return tiny_models_folder


@pytest.fixture(scope="session")
def pack(tiny_pack_folder: Path) -> "Pack":
    """That pack, open."""
    from freeda_svc.packs import load_pack  # noqa: PLC0415

    return load_pack(str(tiny_pack_folder))


@pytest.fixture
def described_pack(tmp_path: Path) -> str:
    """A pack that jobs can be submitted for; its items fail at once, before any model library is imported."""
    return write_described_pack(tmp_path / "described-pack")


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[PostgresServer]":
    """A PostgreSQL server for the whole run. Do not stop it: make one of your own for that."""
    from tests.postgresql import PostgresServer  # noqa: PLC0415

    server = PostgresServer()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def _migrated_databases() -> list[str]:
    """Addresses of databases with all tables, the last one in use."""
    return []


@pytest.fixture
def postgres_url(postgres_server: "PostgresServer", _migrated_databases: list[str], tmp_path: Path) -> str:
    """An empty database with all tables; made anew when a test has left other tables behind."""
    import psycopg  # noqa: PLC0415

    from freeda_svc.errors import UnavailableError  # noqa: PLC0415
    from freeda_svc.jobs.database import close_databases  # noqa: PLC0415
    from freeda_svc.jobs.tables import Base  # noqa: PLC0415
    from freeda_svc.settings import load_settings  # noqa: PLC0415

    close_databases()  # each engine keeps connections, and the server has not many
    try:
        url = _migrated_databases[-1]
        migrations.check_current(load_settings(home=tmp_path, database_url=url))
    except (IndexError, UnavailableError):
        url = postgres_server.new_database()
        migrations.upgrade(load_settings(home=tmp_path, database_url=url))
        _migrated_databases.append(url)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(Base.metadata.tables)} RESTART IDENTITY")
    return url
