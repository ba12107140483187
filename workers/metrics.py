"""The metrics of a worker's own work: the instruments, and adding up what the working process reports."""

from collections.abc import Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from freeda_svc.jobs import JobKind
from freeda_svc.settings import Settings
from freeda_svc.workers.metrics_reports import OUTCOMES, Report

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""From a message's overhead to the longest item."""


class WorkerMetrics:
    """The instruments of one worker, counting from its start, also when its working process is replaced."""

    def __init__(self, settings: Settings, queues: Sequence[str]) -> None:
        """Make the instruments.

        Args:
            settings: the installation.
            queues: what the worker serves.
        """
        self.registry = registry = CollectorRegistry()
        self._process = 0
        worker = Info("freeda_worker", "The worker that answers, and what it serves.", registry=registry)
        worker.info(
            {
                "worker": settings.resolved_worker_name,
                "version": version("freeda-svc"),
                "pack": settings.pack,
                "queues": ",".join(queues),
            }
        )
        self._stages = Histogram(
            "freeda_stage_seconds",
            "Time a stage of an item took: claim, perform, store (a part of perform) and record.",
            ["kind", "stage"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self._attempts = Counter(
            "freeda_attempts",
            "Attempts that this worker ended: done, late (another worker had claimed the item), failed or handed back.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._again = Counter(
            "freeda_repeated_attempts",
            "Attempts that this worker ended at items that had been tried before.",
            ["kind"],
            registry=registry,
        )
        self._prototypes = Counter(
            "freeda_prototypes", "Prototypes that this worker added to a bank.", ["kind"], registry=registry
        )
        self._images = Counter(
            "freeda_images", "Images that this worker generated, read or segmented.", ["kind"], registry=registry
        )
        self._renewals = Counter(
            "freeda_lease_renewals", "Renewals of leases: renewed or failed.", ["outcome"], registry=registry
        )
        self._processes = Counter(
            "freeda_child_starts", "Working processes that this worker has started.", registry=registry
        )
        self.able = Gauge(
            "freeda_worker_able",
            "Whether this worker takes items; its log and /health/ready say why not.",
            registry=registry,
        )
        self._banks = Gauge(
            "freeda_bank_prototypes",
            "Prototypes in a bank when this worker last wrote to it.",
            ["bank"],
            registry=registry,
        )
        self._gpu = Gauge(
            "freeda_gpu_memory_bytes",
            "Memory of a graphics card after the last item: used (by anybody) and total.",
            ["device", "what"],
            registry=registry,
        )
        self._messages = Counter(
            "freeda_messages_sent_again", "Messages that the broker had lost and this worker sent.", registry=registry
        )
        self._silent = Counter(
            "freeda_items_put_back", "Items of workers that fell silent which this worker put back.", registry=registry
        )

        self._begin_at_zero()

    def add(self, report: Report) -> None:
        """Add what the working process measured of an item."""
        if report.process != self._process:
            self._process = report.process
            self._processes.inc()
            self._gpu.clear()  # of the process before
        for device, (used, total) in report.gpu_bytes.items():
            self._gpu.labels(device, "used").set(used)
            self._gpu.labels(device, "total").set(total)
        if not report.kind:
            return
        for stage, seconds in report.seconds.items():
            self._stages.labels(report.kind, stage).observe(seconds)
        self._attempts.labels(report.kind, report.outcome).inc()
        if report.again:
            self._again.labels(report.kind).inc()
        self._prototypes.labels(report.kind).inc(report.prototypes)
        self._images.labels(report.kind).inc(report.images)
        self._renewals.labels("renewed").inc(report.renewals)
        self._renewals.labels("failed").inc(report.renewals_failed)
        for bank, prototypes in report.banks.items():
            self._banks.labels(bank).set(prototypes)

    def add_reconciled(self, put_back: int, sent_again: int) -> None:
        """Add what one run of the reconciler found."""
        self._silent.inc(put_back)
        self._messages.inc(sent_again)

    def _begin_at_zero(self) -> None:
        """Create the counters at zero: Prometheus does not see the first increase of one that appears later."""
        for kind in JobKind:
            for outcome in OUTCOMES:
                self._attempts.labels(kind, outcome)
            for counter in (self._again, self._prototypes, self._images):
                counter.labels(kind)
        for outcome in ("renewed", "failed"):
            self._renewals.labels(outcome)
