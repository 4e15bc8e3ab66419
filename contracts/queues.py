"""The task queues, one for each scarce resource, so that slow work of one kind cannot starve another kind."""

FLOW = "flow"  # workflows and quick database steps
IMAP = "imap"  # short conversations with IMAP servers
WATCH = "watch"  # IDLE: one long activity for each inbox, waiting
INGEST = "ingest"  # parsing processes and bulk rows
SEND = "send"  # submissions and looking them up
BACKFILL = "backfill"  # history; may wait behind everything else
DESK = "desk"  # one long activity for each tenant, waiting for events
REINGEST = "reingest"  # stored mail read again; one run after the other
WEBHOOKS = "webhooks"  # POSTs to other programs; who hangs there keeps no mail waiting

ALL = (FLOW, IMAP, WATCH, INGEST, SEND, BACKFILL, DESK, REINGEST, WEBHOOKS)
