-- What is to be written on tickets at SuperOps: queued with the alert that asks for it, in one transaction.
CREATE TABLE write_backs (
    id INTEGER PRIMARY KEY,
    -- Alert, occasion and kind: asked for twice, it is still written once.
    key TEXT NOT NULL UNIQUE,
    -- Stands in the note's text, by which it is found again.
    reference TEXT NOT NULL,
    tenant TEXT NOT NULL,
    ticket_id TEXT NOT NULL,
    alert_key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('note', 'reassign', 'priority')),
    content TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'doing', 'done', 'left', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    -- The last attempt that wrote: from when until when the ticket may have been touched by it.
    begun_at INTEGER,
    answered_at INTEGER,
    -- When the ticket was last touched before that, as far as was known.
    touched_before INTEGER,
    settled_at INTEGER,
    last_error TEXT
) STRICT;
CREATE INDEX write_backs_waiting ON write_backs (tenant, due_at) WHERE state IN ('pending', 'doing');
CREATE INDEX write_backs_alert ON write_backs (alert_key);
CREATE INDEX write_backs_ticket ON write_backs (tenant, ticket_id) WHERE begun_at IS NOT NULL;
