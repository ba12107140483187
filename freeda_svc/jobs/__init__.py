"""Jobs: accepted in SQL, cut into items, followed until each item has ended. Knows nothing of Celery."""

from typing import TYPE_CHECKING

from freeda_svc.lazy_names import names_from

if TYPE_CHECKING:
    from freeda_svc.batches import InputImage
    from freeda_svc.jobs.acceptance import check_key
    from freeda_svc.jobs.api_keys import (
        KeyRefusedError,
        KeyState,
        KeySummary,
        Scope,
        create_key,
        has_valid_key,
        list_keys,
        revoke_key,
        verify_key,
    )
    from freeda_svc.jobs.banks import bank_created, open_banks
    from freeda_svc.jobs.control import cancel_job, find_job, retry_failed_items
    from freeda_svc.jobs.dispatch import Dispatcher
    from freeda_svc.jobs.events import JobEvent, job_events
    from freeda_svc.jobs.failures import ItemError, item_errors
    from freeda_svc.jobs.moves import Move, move_outcome, submit_move
    from freeda_svc.jobs.progress import (
        ItemSummary,
        JobFilter,
        JobSummary,
        Progress,
        follow_job,
        has_open_items,
        job_items,
        job_summary,
        job_values,
        list_jobs,
        parse_age,
        result_totals,
    )
    from freeda_svc.jobs.pruning import Pruned, PrunedJob, prune_jobs
    from freeda_svc.jobs.queues import QueueState, RunningItem, queue_state
    from freeda_svc.jobs.results import (
        ExportedImage,
        SubmittedImage,
        continue_colours,
        export_results,
        failure_reasons,
        item_states,
        pictures_of,
        proposals_of,
        submitted_images,
    )
    from freeda_svc.jobs.resumption import Plan, earlier_proposals, plan_resumption
    from freeda_svc.jobs.segmentation_requests import CheckedRequest, segmentation_request
    from freeda_svc.jobs.states import (
        ENDED_JOB_STATES,
        JOB_STATE_NAMES,
        MOVES,
        OPEN_ITEM_STATES,
        AttemptOutcome,
        EventKind,
        ItemState,
        JobKind,
        JobState,
        Priority,
    )
    from freeda_svc.jobs.submission import submit_exemplars, submit_ingest, submit_segment

__all__ = [
    "submit_ingest",
    "submit_segment",
    "submit_exemplars",
    "submit_move",
    "Move",
    "move_outcome",
    "Dispatcher",
    "list_jobs",
    "job_summary",
    "job_values",
    "parse_age",
    "JobSummary",
    "JobFilter",
    "Progress",
    "follow_job",
    "has_open_items",
    "job_items",
    "ItemSummary",
    "result_totals",
    "job_events",
    "JobEvent",
    "item_errors",
    "ItemError",
    "queue_state",
    "QueueState",
    "RunningItem",
    "prune_jobs",
    "Pruned",
    "PrunedJob",
    "find_job",
    "cancel_job",
    "retry_failed_items",
    "export_results",
    "ExportedImage",
    "InputImage",
    "JobKind",
    "MOVES",
    "JobState",
    "ItemState",
    "AttemptOutcome",
    "EventKind",
    "Priority",
    "open_banks",
    "bank_created",
    "ENDED_JOB_STATES",
    "JOB_STATE_NAMES",
    "OPEN_ITEM_STATES",
    "Plan",
    "earlier_proposals",
    "plan_resumption",
    "SubmittedImage",
    "continue_colours",
    "failure_reasons",
    "item_states",
    "pictures_of",
    "proposals_of",
    "submitted_images",
    "check_key",
    "CheckedRequest",
    "segmentation_request",
    "Scope",
    "KeyState",
    "KeySummary",
    "KeyRefusedError",
    "create_key",
    "list_keys",
    "revoke_key",
    "verify_key",
    "has_valid_key",
]

__getattr__ = names_from(
    __name__,
    {
        "freeda_svc.jobs.segmentation_requests": ("CheckedRequest", "segmentation_request"),
        "freeda_svc.jobs.acceptance": ("check_key",),
        "freeda_svc.jobs.api_keys": (
            "KeyRefusedError",
            "KeyState",
            "KeySummary",
            "Scope",
            "create_key",
            "has_valid_key",
            "list_keys",
            "revoke_key",
            "verify_key",
        ),
        "freeda_svc.jobs.resumption": ("Plan", "earlier_proposals", "plan_resumption"),
        "freeda_svc.jobs.banks": ("bank_created", "open_banks"),
        "freeda_svc.jobs.control": (
            "cancel_job",
            "find_job",
            "retry_failed_items",
        ),
        "freeda_svc.jobs.dispatch": ("Dispatcher",),
        "freeda_svc.jobs.events": (
            "JobEvent",
            "job_events",
        ),
        "freeda_svc.jobs.failures": (
            "ItemError",
            "item_errors",
        ),
        "freeda_svc.batches": ("InputImage",),
        "freeda_svc.jobs.moves": (
            "Move",
            "move_outcome",
            "submit_move",
        ),
        "freeda_svc.jobs.progress": (
            "ItemSummary",
            "JobFilter",
            "JobSummary",
            "Progress",
            "follow_job",
            "has_open_items",
            "job_items",
            "job_summary",
            "job_values",
            "list_jobs",
            "parse_age",
            "result_totals",
        ),
        "freeda_svc.jobs.pruning": (
            "Pruned",
            "PrunedJob",
            "prune_jobs",
        ),
        "freeda_svc.jobs.queues": (
            "QueueState",
            "RunningItem",
            "queue_state",
        ),
        "freeda_svc.jobs.results": (
            "ExportedImage",
            "SubmittedImage",
            "continue_colours",
            "export_results",
            "failure_reasons",
            "item_states",
            "pictures_of",
            "proposals_of",
            "submitted_images",
        ),
        "freeda_svc.jobs.states": (
            "AttemptOutcome",
            "ENDED_JOB_STATES",
            "EventKind",
            "ItemState",
            "JOB_STATE_NAMES",
            "JobKind",
            "JobState",
            "MOVES",
            "OPEN_ITEM_STATES",
            "Priority",
        ),
        "freeda_svc.jobs.submission": (
            "submit_exemplars",
            "submit_ingest",
            "submit_segment",
        ),
    },
)
