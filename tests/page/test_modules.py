"""Functions of the page's modules, called in a real browser with what is rare or at a limit."""

import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.api.conftest import Service
from tests.page.conftest import NEEDS_CHROMIUM

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.end_to_end, NEEDS_CHROMIUM]


@pytest.fixture(scope="module")
def page(browser: "Browser", service: Service) -> "Iterator[Page]":
    """A page that has loaded the modules that all pages have."""
    context = browser.new_context(base_url=service.address)
    opened = context.new_page()
    opened.goto("/jobs")
    yield opened
    context.close()


def test_pictures_are_divided_by_number_and_by_size(page: "Page") -> None:
    def divided(sizes: list[int], images: int, most: int) -> tuple[list[list[int]], list[str], list[str]]:
        batches, keys, refused = page.evaluate(
            """async ([sizes, images, most]) => {
              const { divide } = await import("/page/sending.js");
              const files = sizes.map((size, n) => new File([new Uint8Array(size)], `${n}.png`, { type: "image/png" }));
              const { batches, refused } = divide(files, { images, body_bytes: most });
              return [
                batches.map((batch) => batch.files.map((file) => files.indexOf(file))),
                batches.map((batch) => batch.key),
                [...refused].map(([file, sentence]) => `${files.indexOf(file)}: ${sentence}`),
              ];
            }""",
            [sizes, images, most],
        )
        return batches, keys, refused

    batches, keys, refused = divided([10, 10, 10, 10, 10], 2, 1_000_000)
    assert (batches, refused) == ([[0, 1], [2, 3], [4]], [])
    assert len(set(keys)) == 3
    assert {key.partition(".")[0] for key in keys} == {keys[0].partition(".")[0]}
    assert [key.partition(".")[2] for key in keys] == ["1", "2", "3"]
    assert divided([10], 2, 1_000_000)[1][0].partition(".")[0] != keys[0].partition(".")[0]
    batches, _, refused = divided([400_000, 400_000, 100_000, 2_000_000, 10], 1000, 1_000_000)
    assert batches == [[0, 1, 2, 4]]
    assert refused == ["3: 3.png has 2.0 MB; this server takes at most 1.0 MB at once"]
    batches, _, _ = divided([500_000, 500_000, 300_000], 1000, 1_000_000)
    assert batches == [[0], [1, 2]]
    assert divided([], 2, 1_000_000)[0] == []


def test_a_job_tells_its_place_in_a_group(page: "Page") -> None:
    group = "0123456789abcdef" * 2
    places = page.evaluate(
        """async (keys) => {
          const { placeInGroup } = await import("/page/sending.js");
          return keys.map((key) => placeInGroup({ idempotency_key: key }));
        }""",
        [
            f"page-{group}.1",
            f"0a1b2c3d:page-{group}.12",
            f"page-{group}",
            f"a page-{group}.1",
            f"page-{group}.1x",
            None,
        ],
    )
    assert places == [{"group": group, "number": 1}, {"group": group, "number": 12}, None, None, None, None]


def test_the_state_of_several_jobs(page: "Page") -> None:
    states = page.evaluate(
        """async (lists) => {
          const { stateOfAll } = await import("/page/job_group.js");
          return lists.map(stateOfAll);
        }""",
        [["done", "done"], ["failed"], ["done", "failed"], ["done", "partly failed"], ["done", "cancelled", "failed"]],
    )
    assert states == ["done", "failed", "partly failed", "partly failed", "cancelled"]


def test_events_are_read_however_they_are_cut(page: "Page") -> None:
    text = 'id: 1\nevent: event\ndata: {"a":\ndata: 1}\n\n: alive\n\r\nevent: end\r\ndata: x\r\n\r\ndata: cut off'
    found = page.evaluate(
        """async ([text, sizes]) => {
          const { readEvents } = await import("/page/api.js");
          const bytes = new TextEncoder().encode(text);
          const all = [];
          for (const size of sizes) {
            const stream = new ReadableStream({
              start(control) {
                for (let n = 0; n < bytes.length; n += size) control.enqueue(bytes.slice(n, n + size));
                control.close();
              },
            });
            const events = [];
            for await (const event of readEvents(stream)) events.push(event);
            all.push(events);
          }
          return all;
        }""",
        [text, [1, 2, 3, 7, 1000]],
    )
    expected = [{"id": "1", "event": "event", "data": '{"a":\n1}'}, {"event": "end", "data": "x"}]
    assert found == [expected] * 5


def test_what_passes_is_tried_again_and_what_does_not_is_not(page: "Page") -> None:
    tried = page.evaluate(
        """async () => {
          const { patiently, Problem } = await import("/page/api.js");
          const found = [];
          for (const [status, times] of [[0, 3], [503, 3], [500, 3], [422, 3], [0, 1]]) {
            let count = 0;
            let waits = 0;
            const action = async () => {
              count += 1;
              if (count < 3) throw new Problem(status, "away");
              return "done";
            };
            const came = await patiently(action, { times, onWait: () => (waits += 1) }).catch((error) => error.message);
            found.push([status, count, waits, came]);
          }
          return found;
        }"""
    )
    assert tried == [
        [0, 3, 2, "done"],
        [503, 3, 2, "done"],
        [500, 1, 0, "away"],
        [422, 1, 0, "away"],
        [0, 1, 0, "away"],
    ]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", [np.int32, np.float32, np.uint16, np.uint8])
def test_arrays_of_numpy_are_read(page: "Page", save: Callable[..., None], kind: type[np.generic]) -> None:
    wanted = np.arange(6).reshape(2, 3).astype(kind)
    content = io.BytesIO()
    save(content, other=np.zeros(100, np.uint8), regions=wanted)
    shape, values = page.evaluate(
        """async (bytes) => {
          const { readArray } = await import("/page/npz.js");
          const { shape, values } = await readArray(new Uint8Array(bytes).buffer, "regions");
          return [shape, [...values]];
        }""",
        list(content.getvalue()),
    )
    assert (shape, values) == ([2, 3], wanted.ravel().tolist())


def test_numbers_in_words(page: "Page") -> None:
    found = page.evaluate(
        """async () => {
          const { counted, sizeText } = await import("/page/pictures.js");
          const sizes = [0, 999, 1000, 77_000, 2e6, 3.25e9].map(sizeText);
          return [counted(1, "picture"), counted(1234, "picture"), ...sizes];
        }"""
    )
    assert found == ["1 picture", "1,234 pictures", "0 B", "999 B", "1.0 kB", "77 kB", "2.0 MB", "3.3 GB"]
