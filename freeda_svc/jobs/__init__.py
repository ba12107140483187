"""Jobs: accepted in SQL, cut into items, followed until each item has ended. Knows nothing of Celery."""

from freeda_svc.jobs.control import cancel_job, find_job, retry_failed_items
from freeda_svc.jobs.dispatch import Dispatcher
from freeda_svc.jobs.progress import (
    ItemSummary,
    JobSummary,
    Progress,
    follow_job,
    job_items,
    job_summary,
    list_jobs,
    result_totals,
)
from freeda_svc.jobs.results import ExportedImage, export_results
from freeda_svc.jobs.states import AttemptOutcome, ItemState, JobKind, JobState
from freeda_svc.jobs.submission import submit_exemplars, submit_ingest, submit_segment

__all__ = [
    "submit_ingest",
    "submit_segment",
    "submit_exemplars",
    "Dispatcher",
    "list_jobs",
    "job_summary",
    "JobSummary",
    "Progress",
    "follow_job",
    "job_items",
    "ItemSummary",
    "result_totals",
    "find_job",
    "cancel_job",
    "retry_failed_items",
    "export_results",
    "ExportedImage",
    "JobKind",
    "JobState",
    "ItemState",
    "AttemptOutcome",
]
