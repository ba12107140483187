"""What ``freeda top`` shows of a snapshot, in as much room as there is."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from freeda_svc.cli.console import PLAIN_WIDTH, duration_text, make_table
from freeda_svc.cli.queue import QUEUE_COLUMNS, RUNNING_COLUMNS, queue_rows, running_rows
from freeda_svc.cli.snapshots import Snapshot
from freeda_svc.cli.terminal_text import printable
from freeda_svc.counts import counted
from freeda_svc.jobs import MOVES, ItemState, JobSummary
from freeda_svc.settings import Settings

WIDE = 120
"""From here on ids are whole and bars are long."""
BARS = (10, 20)
SHORT_ID = 8
GAP = 2
WORKER = 24
"""Letters of a worker's name and host, where there is little room."""
LEAST = 6
"""What is made to fit gets no narrower than this."""
TITLE_LINES = 2
LEAST_ROWS = (3, 2, 2)
"""Rows of jobs, running items and faults on a small terminal."""
Row = Sequence[object]


def render(
    settings: Settings, snapshot: Snapshot, *, width: int = PLAIN_WIDTH, height: int | None = None
) -> RenderableType:
    """Return what is shown of a snapshot.

    Args:
        settings: the installation.
        snapshot: what was seen.
        width: of the screen, letters; longer texts are cut, their most informative part stays.
        height: of the screen, lines; everything is shown when None.
    """
    head = _head(settings, snapshot, width)
    is_open = [state for state in snapshot.queues if state.kind not in MOVES or any(state.items.values())]
    queues = queue_rows(is_open)  # banks are moved once in a while, and lines are few
    jobs, running = list(snapshot.jobs), running_rows(snapshot.queues)
    troubles = list(snapshot.overview.troubles)
    if height is not None:
        room = height - len(head) - TITLE_LINES - len(queues)
        shown = share_rows(room, (len(jobs), len(running), len(troubles)))
        jobs, running, troubles = jobs[: shown[0]], running[: shown[1]], troubles[: shown[2]]
    parts: list[RenderableType] = [*head]
    if jobs:
        parts += ["", _jobs_table(jobs, width)]
    parts += ["", make_table(QUEUE_COLUMNS, queues)]
    if running:
        parts += ["", _running_table(running, width)]
    if troubles:
        parts += ["", Text("what went wrong lately", style="bold")]
        for trouble in troubles:
            job = _short(trouble.job_id, width)
            where = job if trouble.item is None else f"{job} item {trouble.item}"
            parts.append(_line(f"{trouble.at:%H:%M:%S}  {where}  {trouble.kind}: {trouble.message}", width))
    return Group(*parts)


def share_rows(room: int, wanted: Sequence[int]) -> list[int]:
    """Share lines among blocks, each of which needs ``TITLE_LINES`` besides its rows.

    Args:
        room: how many lines there are.
        wanted: how many rows each block has; one without rows needs nothing.

    Returns:
        How many rows each block shows; at least ``LEAST_ROWS`` of it.
    """
    shown = [min(rows, least) for rows, least in zip(wanted, LEAST_ROWS, strict=True)]
    spare = room - sum(rows + TITLE_LINES for rows in shown if rows)
    while spare > 0 and shown != list(wanted):
        for block, rows in enumerate(wanted):
            if shown[block] < rows and spare > 0:
                shown[block] += 1
                spare -= 1
    return shown


def fit(
    rows: Sequence[Row], columns: Sequence[str], column: int, width: int, *, end: bool = False
) -> list[list[object]]:
    """Cut one column's texts so that all of each row fits.

    Args:
        rows: of a table.
        columns: their headings.
        column: which is cut.
        width: of the table.
        end: keep the end of a text, as of a path, rather than its beginning.
    """
    others = (index for index in range(len(columns)) if index != column)
    taken = sum(max(len(str(row[index] or "")) for row in [columns, *rows]) + GAP for index in others)
    room = max(LEAST, width - taken)
    return [[*row[:column], _cut(str(row[column] or ""), room, end=end), *row[column + 1 :]] for row in rows]


def _head(settings: Settings, snapshot: Snapshot, width: int) -> list[Text]:
    items = snapshot.overview.items
    counts = ", ".join(
        f"{items.get(state, 0):,} {state}" for state in ItemState if items.get(state) or state != "cancelled"
    )
    bank = snapshot.bank
    workers = {item.worker for state in snapshot.queues for item in state.running}
    own = "no worker on this home" if snapshot.worker is None else f"worker {snapshot.worker}"
    if snapshot.worker_fault:
        own += f" takes no items: {snapshot.worker_fault}"
    moment = f"{snapshot.at:%Y-%m-%d %H:%M:%S} UTC"
    home = _cut(str(settings.home), max(LEAST, width - len(moment) - GAP), end=True)
    return [
        _line(f"{home}  {moment}", width),
        _line(f"{counted(len(snapshot.overview.jobs), 'open job')}: {counts}", width),
        _line(f"{own}; {len(workers)} with running items", width),
        _line(f"bank {bank.name}: {bank.problem or counted(bank.prototypes or 0, 'prototype')}", width),
    ]


def _jobs_table(jobs: Sequence[JobSummary], width: int) -> RenderableType:
    columns = ("job", "kind", "state", "", "done", "failed", "left", "source")
    rows = [_job_row(job, width) for job in jobs]
    return make_table(columns, fit(rows, columns, len(columns) - 1, width, end=True))


def _job_row(job: JobSummary, width: int) -> Row:
    units = job.progress.units
    share = units.done / units.total if units.total else 1.0
    length = BARS[width >= WIDE]
    full = int(share * length)  # full only when all is done
    left = "" if job.progress.seconds_left is None else duration_text(job.progress.seconds_left)
    done = f"{units.done:,}/{units.total:,}" + (f" {units.name}" if width >= WIDE else "")  # the kind says it, too
    bar = f"[{'#' * full}{'.' * (length - full)}]"
    return (_short(job.id, width), job.kind, job.state, bar, done, job.progress.failed, left, job.source)


def _running_table(running: Sequence[Row], width: int) -> RenderableType:
    if width >= WIDE:
        return make_table(RUNNING_COLUMNS, fit(running, RUNNING_COLUMNS, len(RUNNING_COLUMNS) - 1, width))
    # Until when a worker may be silent, and in which home it works, is for `freeda queue`.
    kept = [index for index, name in enumerate(RUNNING_COLUMNS) if not name.startswith("lease")]
    columns = [RUNNING_COLUMNS[index] for index in kept]
    rows = [
        [
            _short(str(row[0]), width),
            *(row[index] for index in kept[1:-1]),
            _cut(str(row[-1]).partition(":")[0], WORKER),
        ]
        for row in running
    ]
    shown = fit(rows, columns, columns.index("what"), width)
    return make_table(columns, shown)


def _short(job_id: str, width: int) -> str:
    return job_id if width >= WIDE else job_id[:SHORT_ID]


def _cut(text: str, room: int, *, end: bool = False) -> str:
    if len(text) <= room:
        return text
    return f"…{text[len(text) - room + 1 :]}" if end else f"{text[: room - 1]}…"


def _line(text: str, width: int) -> Text:
    return Text(_cut(printable(" ".join(text.split("\n"))), width), no_wrap=True, overflow="ellipsis")
