"""The paths of which a history is saved: each names a workflow, its input, and what its steps answer on that path."""

from collections.abc import Mapping, Sequence
from typing import Any

from contracts import ids
from contracts.auto_response import AutoResponseClaim
from contracts.backfill import BackfillProgress
from contracts.bulk import BulkProgress, BulkRef
from contracts.connect import ConnectCheck, ConnectInput, ConnectReport, DiscoverReport
from contracts.desk import DeskRef, DeskReport, Followup, FollowupKind
from contracts.domains import DomainRef, DomainReport
from contracts.inbound import (
    FetchReport,
    InboxPlan,
    InboxSyncInput,
    IngestReport,
    ReactReport,
    ResyncOrder,
    ResyncScope,
    WakeReason,
    WatchReport,
)
from contracts.outbound import (
    ComposeReport,
    CopyReport,
    DeliverOutcome,
    DeliverReport,
    SendPlan,
    SendState,
    SettleReport,
    VerifyOutcome,
    VerifyReport,
)
from contracts.refs import ConversationRef, FolderRef, InboxRef, MessageRef
from contracts.reingest import ReingestProgress, ReingestRef
from contracts.sla import RecountReport, SlaRef, SlaReport
from contracts.snooze import SnoozeLook, SnoozeState
from contracts.sweep import SweepFindings, SweepFound, TidyReport
from contracts.watch_renewal import WatchOutcome
from tests.workflows.forgetting_paths import FORGETTING, FORGETTING_DEFAULTS
from tests.workflows.path_values import STILL, TENANT, Path, fails, opaque
from tests.workflows.webhook_paths import WEBHOOK_DEFAULTS, WEBHOOKS

# -- SendMessage -----------------------------------------------------------------------------------------------------

DUE, DOUBT, SETTLED = SendPlan(SendState.DUE), SendPlan(SendState.DOUBT), SendPlan(SendState.SENT)
BROKEN, ASKED = SendPlan(SendState.FAILED), SendPlan(SendState.UNKNOWN)
OUT, PARTLY = SendPlan(SendState.SENT, copy_missing=True), SendPlan(SendState.FAILED, copy_missing=True)
SENT = DeliverReport(DeliverOutcome.SENT, attempt=1, stage="dot", code=250)
LOST = DeliverReport(DeliverOutcome.UNKNOWN, attempt=1, stage="dot")
LATER = DeliverReport(DeliverOutcome.DEFERRED, attempt=1, stage="rcpt", code=451, retry_after_seconds=2.0)
REFUSED = DeliverReport(DeliverOutcome.FAILED, attempt=1, stage="rcpt", code=550)
MISSED, FOUND = VerifyReport(VerifyOutcome.NOT_FOUND), VerifyReport(VerifyOutcome.FOUND)


def send(name: str, plans: Sequence[SendPlan], *, acts: Sequence[tuple[Any, ...]] = (), **steps: Sequence[Any]) -> Path:
    message = opaque(f"send {name}")
    return Path(
        "SendMessage",
        name,
        ids.send_message(message),
        MessageRef(TENANT, message),
        {"outbound.plan": plans, **{f"outbound.{step}": answers for step, answers in steps.items()}},
        acts,
    )


SENDS = (
    send("sent", [SendPlan(SendState.WAITING, 1.0), DUE, OUT]),
    send("deferred-then-sent", [DUE, DUE, OUT], deliver=[LATER, SENT]),
    send("unknown-asks-a-person", [DUE, DOUBT, ASKED], deliver=[LOST], verify=[MISSED, fails("Unreachable"), MISSED]),
    send(
        "unknown-found-in-sent", [DUE, DOUBT, OUT], deliver=[LOST], verify=[MISSED, FOUND],
        settle=[SettleReport(DeliverOutcome.SENT)],
    ),
    send(
        "unknown-proven-unsent", [DUE, DOUBT, DUE, OUT], deliver=[LOST, SENT],
        verify=[MISSED, VerifyReport(VerifyOutcome.UNSENT, 2.0)],
    ),
    send(
        "unknown-sent-again-by-policy", [DOUBT, DUE, OUT], verify=[VerifyReport(VerifyOutcome.CANNOT_LOOK)],
        settle=[SettleReport(DeliverOutcome.DEFERRED, again=True)],
    ),
    send(
        "cancelled-in-the-undo-window", [SendPlan(SendState.WAITING, 600.0), SendPlan(SendState.CANCELLED)],
        acts=[("outbound.plan", 1, "cancel")],
    ),
    send("failed", [DUE, BROKEN], deliver=[REFUSED]),
    send("failed-in-part", [DUE, PARTLY], deliver=[REFUSED]),
    send("not-composed", [DUE, BROKEN], compose=[ComposeReport(SendState.FAILED)]),
    send("step-fails-then-sent", [DUE, DUE, OUT], deliver=[fails("StorageUnavailable"), SENT]),
    send(
        "step-fails-for-good", [DUE, BROKEN], deliver=[fails("CredentialsUnreadable")],
        settle=[SettleReport(DeliverOutcome.FAILED)],
    ),
    send("another-attempt-owns-it", [DUE, SETTLED], deliver=[DeliverReport(DeliverOutcome.STALE)]),
    send(
        "retried-while-the-copy-waits", [DUE, PARTLY, DUE, SETTLED], deliver=[REFUSED, SENT],
        file_copy=[fails("Unreachable")], acts=[("outbound.file_copy", 1, "poke")],
    ),
)

# -- InboxSync -------------------------------------------------------------------------------------------------------

CONNECTED = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=3, max_syncs_per_hour=60)
PAUSED = InboxPlan(connected=True, paused=True, provider="imap", poll_seconds=3, max_syncs_per_hour=60)
APART = InboxPlan(connected=False, paused=False, provider="imap", poll_seconds=3, max_syncs_per_hour=60)
RATIONED = InboxPlan(connected=True, paused=False, provider="imap", poll_seconds=3, max_syncs_per_hour=1)
QUIET = FetchReport(0, 0, 0, 0, 2, 0, "ok")
STORED = FetchReport(3, 0, 0, 1, 2, 3, "ok")
AWAY = FetchReport(0, 0, 0, 0, 0, 0, "degraded", failure="Unreachable")
GOING_ON = FetchReport(200, 0, 0, 0, 2, 200, "ok", more=True)
GIVEN_UP_ON = FetchReport(0, 0, 0, 0, 0, 0, "paused", failure="AuthFailed")
LOCKED_OUT = FetchReport(0, 0, 0, 0, 0, 0, "auth_failed", failure="AuthFailed")
READ = IngestReport(3, 0, 0, 0, 0)
NEW, FLAGS = WatchReport(WakeReason.NEW), WatchReport(WakeReason.FLAGS)
CLOSED, UNSUPPORTED = WatchReport(WakeReason.CLOSED), WatchReport(WakeReason.UNSUPPORTED)


def sync(
    name: str, *, acts: Sequence[tuple[Any, ...]] = (), until: tuple[str, int] | None = ("inbound.watch", 2), **steps: Sequence[Any]
) -> Path:
    inbox = opaque(f"sync {name}")
    given = {f"inbound.{step}": answers for step, answers in steps.items()}
    return Path("InboxSync", name, ids.inbox_sync(inbox), InboxSyncInput(TENANT, inbox), given, acts, until)


WAITERS = tuple(ConversationRef(TENANT, opaque(f"conversation {n}")) for n in range(3))
SYNCS = (
    sync(
        "new-mail", open=[CONNECTED], fetch=[QUIET, STORED, QUIET], watch=[NEW, STILL],
        ingest=[IngestReport(2, 0, 0, 1, 1), IngestReport(1, 0, 0, 0, 1)],
        react=[ReactReport(WAITERS[:2], more=True), ReactReport(WAITERS[1:], more=False)],
    ),
    sync("flags", open=[CONNECTED], watch=[FLAGS, STILL]),
    sync(
        "poked-while-watching", open=[CONNECTED], watch=[STILL], until=("inbound.fetch", 2),
        acts=[("inbound.watch", 1, "poke")],
    ),
    sync(
        "resync", open=[CONNECTED], watch=[STILL], until=("inbound.watch", 2),
        acts=[("inbound.watch", 1, "update", "resync", ResyncOrder(ResyncScope.FOLDER, opaque("folder")))],
    ),
    sync(
        "paused-and-resumed", open=[CONNECTED, PAUSED, CONNECTED], watch=[STILL],
        acts=[("inbound.watch", 1, "pause"), ("inbound.fetch", 1, "poke"), ("inbound.fetch", 1, "resume"),
              ("inbound.open", 2, "resume")],
    ),
    sync(
        "not-connected-then-connected", open=[APART, CONNECTED], watch=[STILL], until=("inbound.watch", 1),
        acts=[("inbound.open", 1, "resume")],
    ),
    sync("removed", open=[fails("NotFound")], until=None),
    sync("server-away", open=[CONNECTED], fetch=[AWAY, QUIET], watch=[STILL], until=("inbound.watch", 1)),
    sync(
        "refused-then-resumed", open=[CONNECTED], fetch=[LOCKED_OUT, QUIET], watch=[STILL], until=("inbound.watch", 1),
        acts=[("inbound.fetch", 1, "resume")],
    ),
    sync(
        "refused-for-days-then-paused", open=[CONNECTED, PAUSED], fetch=[GIVEN_UP_ON], until=("inbound.open", 2),
    ),
    sync("gap-filled", open=[CONNECTED], fetch=[GOING_ON, QUIET], ingest=[READ], watch=[STILL], until=("inbound.watch", 1)),
    sync("without-idle", open=[CONNECTED], watch=[UNSUPPORTED, STILL]),
    sync("hangs-up", open=[CONNECTED], watch=[CLOSED, STILL]),
    sync("lease-lost", open=[CONNECTED], fetch=[fails("LeaseLost"), QUIET], watch=[STILL], until=("inbound.watch", 1)),
    sync("an-hours-worth-used-up", open=[RATIONED], watch=[NEW, STILL], until=("inbound.watch", 1)),
    sync("continued-as-new", open=[CONNECTED], watch=[NEW], ingest=[READ], until=("inbound.open", 2)),
)

# -- Backfill --------------------------------------------------------------------------------------------------------

BEGUN = BackfillProgress("running", 0, 900)
HALF = BackfillProgress("running", 450, 900, eta_seconds=40)
FINISHED = BackfillProgress("done", 900, 900)
HELD = BackfillProgress("paused", 450, 900)
DROPPED = BackfillProgress("cancelled", 450, 900)
UNCONNECTED = BackfillProgress("running", 450, 900, failure="NotConnected")
TROUBLED = BackfillProgress("running", 450, 900, failure="Unreachable")


def history(
    name: str, plans: Sequence[Any], steps: Sequence[Any] = (HALF, FINISHED), *, acts: Sequence[tuple[Any, ...]] = (),
    until: tuple[str, int] | None = None,
) -> Path:
    ref = FolderRef(TENANT, opaque("inbox"), opaque(f"backfill {name}"))
    given = {"backfill.plan": plans, "backfill.step": steps}
    return Path("Backfill", name, ids.backfill(ref.inbox_id, ref.folder_id), ref, given, acts, until)


BACKFILLS = (
    history("done", [BEGUN]),
    history("paused-and-resumed", [BEGUN, HELD, HALF], [HELD, FINISHED], acts=[("backfill.step", 1, "pause"), ("backfill.step", 1, "resume")]),
    history("cancelled", [BEGUN], [HELD, DROPPED], acts=[("backfill.step", 1, "cancel"), ("backfill.plan", 2, "cancel")]),
    history("trouble-waited-out", [BEGUN, HALF], [TROUBLED, FINISHED]),
    history("waits-for-a-connection", [BEGUN, HALF], [UNCONNECTED, FINISHED], acts=[("backfill.step", 1, "resume")]),
    history("removed", [BEGUN], [fails("NotFound")]),
    history("continued-as-new", [BEGUN], [HALF, *[TROUBLED, HALF] * 12], until=("backfill.step", 1)),
)

# -- Reingest --------------------------------------------------------------------------------------------------------

READING = ReingestProgress("planning", total=900, done=100, changed=3)
COMPARED = ReingestProgress("planned", total=900, done=900, changed=12, failed=1, to_apply=40)
WRITING = ReingestProgress("applying", total=900, done=900, changed=12, failed=1, to_apply=40, applied=25)
WRITTEN = ReingestProgress("applied", total=900, done=900, changed=12, failed=2, to_apply=40, applied=39)
RESTING = ReingestProgress("planning", paused=True, total=900, done=100, changed=3)
GIVEN_UP = ReingestProgress("cancelled", total=900, done=100, changed=3)


def reread(
    name: str, plans: Sequence[Any], applies: Sequence[Any] = (WRITTEN,), *, acts: Sequence[tuple[Any, ...]] = (),
    until: tuple[str, int] | None = None,
) -> Path:
    ref = ReingestRef(TENANT, opaque(f"reingest {name}"))
    given = {"reingest.plan": plans, "reingest.apply": applies}
    return Path("Reingest", name, ids.reingest(ref.reingest_id), ref, given, acts, until)


REINGESTS = (
    reread("planned", [READING, COMPARED]),
    reread("applied", [WRITING], [WRITING, WRITTEN]),
    reread("paused-then-cancelled", [READING, RESTING, RESTING, GIVEN_UP], acts=[("reingest.plan", 2, "poke"), ("reingest.plan", 3, "poke")]),
    reread("lease-lost", [READING, fails("LeaseLost"), COMPARED]),
    reread("removed", [fails("NotFound")]),
    reread("continued-as-new", [READING], until=("reingest.plan", 20)),
)

# -- Bulk ------------------------------------------------------------------------------------------------------------

SLICED = BulkProgress("running", 900, 400, 390)
ENDED = BulkProgress("done", 900, 900, 880)
TAKEN_BACK = BulkProgress("undone", 900, 900, 880, 870, 10)


def bulk(name: str, steps: Sequence[Any], *, acts: Sequence[tuple[Any, ...]] = (), until: tuple[str, int] | None = None) -> Path:
    ref = BulkRef(TENANT, opaque(f"bulk {name}"))
    return Path("Bulk", name, ids.bulk(ref.bulk_id), ref, {"bulk.step": steps}, acts, until)


BULKS = (
    bulk("done", [SLICED, ENDED]),
    bulk("told-while-it-runs", [*[SLICED] * 12, TAKEN_BACK], acts=[("bulk.step", 1, "poke")]),
    bulk("step-fails", [fails("DatabaseUnavailable"), ENDED]),
    bulk("removed", [fails("NotFound")]),
    bulk("continued-as-new", [SLICED], until=("bulk.step", 20)),
)

# -- ConnectInbox ----------------------------------------------------------------------------------------------------

WELCOME = ConnectReport((ConnectCheck("imap"), ConnectCheck("smtp")))
NO_ENTRY = ConnectReport((ConnectCheck("imap", "AuthFailed"), ConnectCheck("smtp")))


def connect(name: str, *, inbox: str | None = None, check_only: bool = False, **steps: Sequence[Any]) -> Path:
    inbox = inbox or opaque(f"connect {name}")
    workflow_id = ids.check_inbox(inbox) if check_only else ids.connect_inbox(inbox)
    given = {f"connect.{step}": answers for step, answers in steps.items()}
    return Path("ConnectInbox", name, workflow_id, ConnectInput(TENANT, inbox, check_only), given)


TWO_FOLDERS = DiscoverReport(6, (opaque("folder INBOX"), opaque("folder Sent")), backfill=True)
CONNECTS = (
    connect("connected", verify=[WELCOME], discover=[TWO_FOLDERS]),
    # Its sync waits already, because this inbox is the one of that path.
    connect("connected-again", inbox=opaque("sync an-hours-worth-used-up"), verify=[WELCOME], discover=[DiscoverReport(6, (), backfill=False)]),
    connect("refused", verify=[NO_ENTRY]),
    connect("discovery-refused", verify=[WELCOME], discover=[fails("Refused")]),
    connect("check-only", check_only=True, verify=[NO_ENTRY]),
)

# -- AutoResponse ----------------------------------------------------------------------------------------------------


def answer(name: str, claim: AutoResponseClaim) -> Path:
    conversation = opaque(f"answer {name}")
    return Path(
        "AutoResponse", name, ids.auto_response(conversation), ConversationRef(TENANT, conversation),
        {"auto_response.claim": [claim]},
    )


ANSWERS = (
    answer("answered", AutoResponseClaim(opaque("answer"), "answered", opaque("inbox of answer"))),
    answer("silent", AutoResponseClaim(None, "list-id", opaque("inbox of answer"))),
    # The message whose sending still runs on the path of that name.
    answer("sending-runs-already", AutoResponseClaim(opaque("send unknown-asks-a-person"), "answered", opaque("inbox of answer"))),
)

# -- Sweep -----------------------------------------------------------------------------------------------------------

NOTHING = SweepFindings(())
LOOKED_UP = DomainReport(held=True, records=7, open=1)
WATCHED = WatchOutcome("granted")
TIDIED = TidyReport(0, 0, 0, 0, 0, 3)


def page(kind: str, count: int, following: str | None = None) -> SweepFindings:
    found = tuple(SweepFound(TENANT, opaque(f"{kind} {n}"), opaque(f"inbox of {kind}")) for n in range(count))
    return SweepFindings(found, following)


def sweep(name: str, find: Sequence[SweepFindings], tidy: Any = TIDIED) -> Path:
    return Path("Sweep", name, f"sweep-{name}", None, {"sweep.find": find, "sweep.tidy": [tidy]})


CHECKS = (
    Path("CheckDomain", "looked-up", ids.check_domain(opaque("looked up")), DomainRef(TENANT, opaque("looked up")), {"domains.check": [LOOKED_UP]}),
    Path("CheckDomain", "removed", ids.check_domain(opaque("removed")), DomainRef(TENANT, opaque("removed")), {"domains.check": [fails("NotFound")]}),
)

WATCHES = tuple(
    Path("WatchRenewal", name, ids.watch_renewal(opaque(name)), InboxRef(TENANT, opaque(name)), {"watch.renew": [answer]})
    for name, answer in (("granted", WATCHED), ("refused", WatchOutcome("refused", "topic_refused")), ("removed", fails("NotFound")))
)

AT_THE_DESK = DeskReport((Followup(FollowupKind.ANSWER, opaque("answer from the desk"), opaque("inbox of answer")),), 4)
EARLIER = DeskReport((Followup(FollowupKind.SLA, opaque("desk 3")),), 1)
DESKS = (
    Path("Desk", "turns", ids.desk(opaque("desk")), DeskRef(opaque("desk")), {"desk.turn": [DeskReport(events=9), AT_THE_DESK, DeskReport()]}, until=("desk.turn", 4)),
    Path("Desk", "turn-fails", ids.desk(opaque("desk 2")), DeskRef(opaque("desk 2")), {"desk.turn": [fails("DatabaseUnavailable"), DeskReport()]}, until=("desk.turn", 3)),
    Path("Desk", "wakes-the-timer", ids.desk(opaque("desk 3")), DeskRef(opaque("desk 3")), {"desk.turn": [EARLIER, EARLIER, DeskReport()], "sla.act": [SlaReport()]}, until=("desk.turn", 4)),
)

ASLEEP, AWAKE = SnoozeLook(SnoozeState.WAITING, 2.0), SnoozeLook(SnoozeState.WOKEN)


def snooze(name: str, looks: Sequence[Any], *, acts: Sequence[tuple[Any, ...]] = (), until: tuple[str, int] | None = None) -> Path:
    conversation = opaque(f"snooze {name}")
    return Path("Snooze", name, ids.snooze(conversation), ConversationRef(TENANT, conversation), {"snooze.wake": looks}, acts, until)


SNOOZES = (
    snooze("woken", [ASLEEP, AWAKE]),
    snooze("woken-by-a-mail", [ASLEEP, SnoozeLook(SnoozeState.OVER)]),
    snooze("given-another-time", [SnoozeLook(SnoozeState.WAITING, 600.0), ASLEEP, AWAKE], acts=[("snooze.wake", 1, "poke")]),
    snooze("step-fails-then-woken", [fails("DatabaseUnavailable"), AWAKE]),
    snooze("continued-as-new", [SnoozeLook(SnoozeState.WAITING, 0.05)], until=("snooze.wake", 20)),
)

SLEEPY = SlaReport(wait_seconds=600.0)

def timer(name: str, acts_on: Sequence[Any], *, acts: Sequence[tuple[Any, ...]] = (), until: tuple[str, int], **steps: Sequence[Any]) -> Path:
    tenant = opaque(f"timer {name}")
    answers = {"sla.act": acts_on, **{f"sla.{step}": said for step, said in steps.items()}}
    return Path("SlaTimer", name, ids.sla_timer(tenant), SlaRef(tenant), answers, acts, until)


TIMERS = (
    timer("warns-and-breaches", [SlaReport(wait_seconds=1.0), SlaReport(1, 0, 1.0), SlaReport(0, 1, 0.0), SlaReport()], until=("sla.act", 4)),
    timer("woken-for-something-earlier", [SLEEPY, SlaReport(wait_seconds=1.0), SlaReport(0, 1)], acts=[("sla.act", 1, "poke")], until=("sla.act", 3)),
    timer("works-out-again", [SlaReport(recounting=True), SlaReport(1, 0, 9.0, recounting=True), SlaReport()], recount=[RecountReport(200, 300, more=True), RecountReport(300, 300)], until=("sla.act", 3)),
    timer("step-fails", [fails("DatabaseUnavailable"), SlaReport()], until=("sla.act", 2)),
    timer("continued-as-new", [SlaReport(wait_seconds=0.05)], until=("sla.act", 20)),
)

SWEEPS = (
    sweep("nothing-to-do", [NOTHING]),
    # In parts: the recorder's server suggests to continue as new after a hundred events.
    sweep("starts-each-kind", [page("send", 1), page("swept", 1), page("connect", 1), page("backfill", 1), page("answer", 1), NOTHING]),
    sweep("starts-each-other-kind", [*[NOTHING] * 5, page("reingest", 1), page("domain", 1), page("watch", 1), page("desk", 1), page("snooze", 1), page("timer", 1), NOTHING]),
    sweep("starts-the-latest-kinds", [*[NOTHING] * 11, page("erasure", 1), page("digest", 1), page("bulk", 1), page("webhook", 1), NOTHING]),
    sweep("what-runs-is-left-alone", [page("twice", 1, opaque("twice 0")), page("twice", 1), NOTHING]),
    sweep("tidying-fails", [NOTHING], fails("DatabaseUnavailable")),
    sweep("continued-as-new", [page("many", 10, opaque("many 9")), page("more", 10, opaque("more 9")), page("most", 10), NOTHING]),
)

PATHS: tuple[Path, ...] = (*SENDS, *SYNCS, *BACKFILLS, *REINGESTS, *BULKS, *CONNECTS, *ANSWERS, *CHECKS, *WATCHES, *DESKS, *SNOOZES, *TIMERS, *FORGETTING, *WEBHOOKS, *SWEEPS)

# What a step answers where a path does not say: the workflows that others start end, or wait, at once.
DEFAULTS: Mapping[str, Any] = {
    **FORGETTING_DEFAULTS,
    **WEBHOOK_DEFAULTS,
    "auto_response.claim": AutoResponseClaim(None, "not-enabled"),
    "backfill.plan": FINISHED,
    "bulk.step": ENDED,
    "backfill.step": FINISHED,
    "connect.verify": WELCOME,
    "domains.check": LOOKED_UP,
    "desk.turn": STILL,
    "sla.act": SlaReport(),
    "sla.recount": RecountReport(),
    "snooze.wake": AWAKE,
    "watch.renew": WATCHED,
    "connect.discover": TWO_FOLDERS, "connect.fail": None,
    "inbound.open": APART,
    "inbound.fetch": QUIET,
    "inbound.ingest": READ,
    "inbound.react": ReactReport((), more=False),
    "inbound.watch": STILL,
    "outbound.plan": SETTLED,
    "outbound.compose": ComposeReport(SendState.DUE, 1024),
    "outbound.deliver": SENT,
    "outbound.verify": MISSED,
    "outbound.settle": SettleReport(DeliverOutcome.UNKNOWN),
    "outbound.file_copy": CopyReport(filed=True),
    "reingest.plan": COMPARED,
    "reingest.apply": WRITTEN,
    "sweep.find": NOTHING, "sweep.tidy": TIDIED,
}
