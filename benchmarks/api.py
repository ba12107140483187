"""What a client of the HTTP API waits for, beside the command line of an earlier commit and the library's own call.

All in one run on one machine, with the miniature pack: a warm worker, one picture of 64 x 64 pixels, ``Prefer: wait``.
The three are measured in turns, so that all see the machine alike. Then several clients at once, an archive of many
results, and an ingest beside the requests. ``python -m benchmarks.api --requests 20 --results 50`` tries it and writes
nothing.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
import httpx

import freeda_svc
from benchmarks.api_load.serving import (
    WORDS,
    Serving,
    forget_peak,
    free_port,
    median_of,
    resident_bytes,
    segment,
    server_process,
    wait_until_ready,
)
from benchmarks.api_load.several_workers import two_workers
from benchmarks.commands import paint
from benchmarks.commands_load.measured import run as run_command
from benchmarks.commands_load.states import CAPTIONS as CAPTIONS_OF_STATES
from benchmarks.commands_load.states import REPOSITORY, State, worktree_of
from benchmarks.results import Result

AGAINST = "f01f3dc"
"""The commit before there was an API."""
REQUESTS, CLIENTS, RESULTS = 200, 8, 1000
REQUESTS_A_ROUND = 10
WARM_REQUESTS = 5
FEW_REQUESTS = 60
CAPTIONS = 400
MEGABYTE = 1e6
_COMMAND = ("segment", "one.png", "--categories", WORDS, "--wait")


def run(against: str = AGAINST, requests: int = REQUESTS, results: int = RESULTS) -> list[Result]:
    """Measure everything.

    Args:
        against: the commit whose command line is compared.
        requests: how many requests are made one after another.
        results: how many the archive has.
    """
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        paint(folder / "one.png")
        image = (folder / "one.png").read_bytes()
        earlier = State("earlier", stack.enter_context(worktree_of(against, folder / "tree")), folder / "home-earlier")
        now = Serving("now", REPOSITORY, folder / "home-now", free_port())
        for state in (earlier, now):
            state.fill()
        shutil.copytree(now.home / "banks", folder / "home-library" / "banks")
        stack.enter_context(earlier.service())
        service = stack.enter_context(now.service())
        asking = stack.enter_context(now.client())
        wait_until_ready(asking)
        measured = _one_client(earlier, asking, folder, requests)
        measured = [replace(result, against=result.against.format(commit=against)) for result in measured]
        measured += _several_clients(now, image, min(requests, FEW_REQUESTS))
        measured += _archive(asking, image, results, server_process(service.pid))
        measured += _beside_an_ingest(asking, image, min(requests, FEW_REQUESTS))
    with tempfile.TemporaryDirectory() as scratch, two_workers(Path(scratch)) as asking:
        _teach(asking)
        return measured + _beside_an_ingest(asking, image, min(requests, FEW_REQUESTS), workers=2)


def _one_client(earlier: State, asking: httpx.Client, folder: Path, requests: int) -> list[Result]:
    """Requests, commands and calls of the library, in turns."""
    image = (folder / "one.png").read_bytes()
    commands, answers, calls = [], [], []
    with freeda_svc.open_bank(folder / "home-library" / "banks" / "default" / "1", pack="miniature") as bank:
        model = freeda_svc.Segmenter(bank)
        words = [word.strip() for word in WORDS.split(",")]
        for number in range(-1, requests // REQUESTS_A_ROUND):
            command = run_command(earlier.command(*_COMMAND), earlier.environment, folder).wall
            answered = [segment(asking, image) for _ in range(REQUESTS_A_ROUND)]
            called = [_call(model, image, words) for _ in range(REQUESTS_A_ROUND)]
            if number >= 0:  # the round before warms up
                commands.append(command)
                answers += answered
                calls += called
    command, answer, call = map(statistics.median, (commands, answers, calls))
    click.echo(f"request {1e3 * answer:.1f} ms, command {1e3 * command:.0f} ms, library {1e3 * call:.1f} ms")
    return [
        Result("command_wait_seconds", command, "s", "commit {commit}"),
        Result("request_wait_seconds", answer, "s", "`freeda segment --wait` of {commit}", answer / command),
        Result("library_call_seconds", call, "s"),
        Result("request_over_library_milliseconds", 1e3 * (answer - call), "ms"),
    ]


def _call(model: freeda_svc.Segmenter, image: bytes, words: Sequence[str]) -> float:
    began = time.perf_counter()
    model.segment(image, words)
    return time.perf_counter() - began


def _several_clients(now: Serving, image: bytes, requests: int) -> list[Result]:
    """Clients that ask at the same time, beside one that asks alone."""

    def ask(count: int, found: list[float]) -> None:
        with now.client() as asking:
            found += [segment(asking, image) for _ in range(count)]

    alone: list[float] = []
    began = time.perf_counter()
    ask(requests, alone)
    rate_alone = requests / (time.perf_counter() - began)
    together: list[float] = []
    each = max(2, requests // 2)
    threads = [threading.Thread(target=ask, args=(each, together)) for _ in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = len(together) / (time.perf_counter() - began)
    if len(together) != CLIENTS * each:
        raise RuntimeError(f"only {len(together)} of {CLIENTS * each} requests were answered")
    middle, longest = statistics.median(together), max(together)
    click.echo(
        f"{CLIENTS} clients: {rate:.1f} requests/s, one: {rate_alone:.1f}; longest {longest / middle:.1f} medians"
    )
    return [
        Result("one_client_rate", rate_alone, "requests/s"),
        Result(f"rate_of_{CLIENTS}_clients", rate, "requests/s", "one client", rate / rate_alone),
        Result(f"median_of_{CLIENTS}_clients_seconds", middle, "s"),
        Result(f"longest_of_{CLIENTS}_clients_seconds", longest, "s", "their median", longest / middle),
    ]


def _archive(asking: httpx.Client, image: bytes, results: int, server: int) -> list[Result]:
    """Memory that the server needs to send an archive of all results of a job."""
    files = [("image", (f"{number}.png", image, "image/png")) for number in range(results)]
    answer = asking.post("/v1/segmentations", files=files, data={"categories": WORDS}, headers={"Prefer": "wait=300"})
    answer.raise_for_status()
    job = answer.json()["job"]
    _wait_for(asking, job, "queued", "running")
    forget_peak(server)
    before, began, size = resident_bytes(server), time.perf_counter(), 0
    with asking.stream("GET", f"/v1/jobs/{job}/results.zip") as archive:
        archive.raise_for_status()
        for chunk in archive.iter_raw():
            size += len(chunk)
    took = time.perf_counter() - began
    growth = resident_bytes(server, "VmHWM") - before
    click.echo(f"archive of {results}: {size / MEGABYTE:.1f} MB in {took:.1f} s, {growth / MEGABYTE:.1f} MB of memory")
    return [
        Result("archive_results", results, "results"),
        Result("archive_megabytes", size / MEGABYTE, "MB"),
        Result("archive_seconds", took, "s"),
        Result("archive_memory_megabytes", growth / MEGABYTE, "MB"),
    ]


def _teach(asking: httpx.Client) -> None:
    """Fill the bank with a few captions."""
    accepted = asking.post("/v1/captions", content=CAPTIONS_OF_STATES.encode(), headers={"Content-Type": "text/plain"})
    accepted.raise_for_status()
    _wait_for(asking, accepted.json()["job"], "queued", "running")


def _wait_for(asking: httpx.Client, job: str, *states: str) -> None:
    """Wait until a job is in none of some states."""
    while asking.get(f"/v1/jobs/{job}").json()["state"] in states:
        time.sleep(0.05)


def _beside_an_ingest(asking: httpx.Client, image: bytes, requests: int, workers: int = 1) -> list[Result]:
    """Requests while prototypes are made by the same worker or another, beside requests while nothing else is done."""
    for _ in range(WARM_REQUESTS):
        segment(asking, image)
    alone = median_of(asking, image, requests)
    captions = "".join(f"a ball number {number} on the grass\n" for number in range(CAPTIONS))
    accepted = asking.post("/v1/captions", content=captions.encode(), headers={"Content-Type": "text/plain"})
    accepted.raise_for_status()
    job = accepted.json()["job"]
    _wait_for(asking, job, "queued")
    took: list[float] = []
    while len(took) < requests and asking.get(f"/v1/jobs/{job}").json()["state"] == "running":
        took.append(segment(asking, image))
    asking.delete(f"/v1/jobs/{job}")
    busy = statistics.median(took)
    of = "one worker" if workers == 1 else f"{workers} workers"
    click.echo(f"beside an ingest, {of}: {1e3 * busy:.0f} ms, alone {1e3 * alone:.0f} ms ({len(took)} requests)")
    of_several = "" if workers == 1 else f"_{workers}_workers"
    return [
        Result(f"request_alone{of_several}_seconds", alone, "s"),
        Result(f"request_beside_an_ingest{of_several}_seconds", busy, "s", f"alone, {of}", busy / alone),
    ]


@click.command()
@click.option("--against", default=AGAINST, show_default=True, help="The commit whose command line is compared.")
@click.option("--requests", default=REQUESTS, show_default=True, help="How many requests one after another.")
@click.option("--results", default=RESULTS, show_default=True, help="How many results the archive has.")
def _try(against: str, requests: int, results: int) -> None:
    """Measure the API and print the results without writing them."""
    for result in run(against, requests, results):
        ratio = "" if result.ratio is None else f"   {result.ratio:.2f} of {result.against}"
        click.echo(f"  {result.name:45s} {result.value:12.3f} {result.unit}{ratio}")


if __name__ == "__main__":
    _try()
