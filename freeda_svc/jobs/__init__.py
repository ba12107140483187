"""Jobs: accepted in SQL, cut into items, followed until each item has ended. Knows nothing of Celery."""

# mypy: implicit-reexport
from typing import TYPE_CHECKING

from freeda_svc.lazy_names import shown_names

if TYPE_CHECKING:
    from freeda_svc.batches import InputImage
    from freeda_svc.jobs.acceptance import check_key, note_job_of_this_process, request_digest
    from freeda_svc.jobs.api_keys import (
        KeyRefusedError,
        KeyState,
        KeySummary,
        Scope,
        create_key,
        find_key,
        has_valid_key,
        list_keys,
        revoke_key,
        verify_key,
    )
    from freeda_svc.jobs.banks import bank_created, bank_of_new_job, open_banks
    from freeda_svc.jobs.callback_signatures import callback_secret_of, signed_headers
    from freeda_svc.jobs.callbacks import (
        CallbackState,
        CallbackSummary,
        DeliveryOutcome,
        DeliverySummary,
        DueCallback,
        callback_of,
        end_try,
        keep_callback,
        take_due_callbacks,
    )
    from freeda_svc.jobs.control import cancel_job, find_job, retry_failed_items
    from freeda_svc.jobs.dispatch import Dispatcher
    from freeda_svc.jobs.events import JobEvent, job_events
    from freeda_svc.jobs.failures import ItemError, item_errors
    from freeda_svc.jobs.kept_exemplars import check_exemplars
    from freeda_svc.jobs.moves import Move, move_outcome, submit_move
    from freeda_svc.jobs.progress import (
        ItemSummary,
        JobFilter,
        JobSummary,
        Progress,
        follow_job,
        follow_looks,
        has_open_items,
        job_items,
        job_state,
        job_summary,
        job_values,
        list_jobs,
        parse_age,
    )
    from freeda_svc.jobs.pruning import Pruned, PrunedJob, prune_jobs
    from freeda_svc.jobs.queues import QueueState, RunningItem, queue_state
    from freeda_svc.jobs.results import (
        SegmentedItems,
        SubmittedImage,
        continue_colours,
        export_pictures,
        export_results,
        failure_reasons,
        item_states,
        pictures_of,
        proposals_of,
        segmented_items,
        submitted_images,
        why_no_results,
    )
    from freeda_svc.jobs.resumption import (
        EarlierJobs,
        Plan,
        earlier_proposals,
        is_kept,
        plan_resumption,
        revision_in,
        revision_of,
    )
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
    from freeda_svc.jobs.totals import result_totals
else:
    __getattr__, __all__ = shown_names(__name__, __file__)
