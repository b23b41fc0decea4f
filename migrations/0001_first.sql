-- Times are milliseconds since 1970 in UTC; ids are text; every row names its tenant.

CREATE TABLE tickets (
    tenant          TEXT   NOT NULL,
    id              TEXT   NOT NULL,
    display_id      TEXT   NOT NULL,
    status          TEXT,            -- as in the ticket: `open` is decided by it again when the words change
    open            BIGINT NOT NULL, -- 1 while its status is not a closed one and it has not vanished
    ticket          TEXT   NOT NULL, -- the ticket as JSON
    first_seen_at   BIGINT NOT NULL,
    read_at         BIGINT NOT NULL,
    cycle           BIGINT NOT NULL,
    status_earliest BIGINT,
    status_latest   BIGINT,
    replied_at      BIGINT,
    misses          BIGINT NOT NULL DEFAULT 0, -- reads in a row in which it should have been seen and was not
    vanished_at     BIGINT,
    PRIMARY KEY (tenant, id)
);
CREATE INDEX tickets_open ON tickets (tenant, open);
CREATE INDEX tickets_status ON tickets (tenant, status);
CREATE INDEX tickets_display_id ON tickets (tenant, display_id);

CREATE TABLE events (
    id        INTEGER PRIMARY KEY,
    tenant    TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    kind      TEXT   NOT NULL,
    was       TEXT,
    became    TEXT,
    earliest  BIGINT NOT NULL,
    latest    BIGINT NOT NULL
);
CREATE INDEX events_of_ticket ON events (tenant, ticket_id, id);

CREATE TABLE quarantine (
    tenant        TEXT   NOT NULL,
    record        TEXT   NOT NULL,
    field         TEXT   NOT NULL,
    why           TEXT   NOT NULL,
    first_seen_at BIGINT NOT NULL,
    last_seen_at  BIGINT NOT NULL,
    times         BIGINT NOT NULL,
    PRIMARY KEY (tenant, record, field)
);

CREATE TABLE directories (
    tenant    TEXT   NOT NULL PRIMARY KEY,
    directory TEXT   NOT NULL, -- people, clients, sites as JSON
    read_at   BIGINT NOT NULL
);

CREATE TABLE sync_states (
    tenant TEXT NOT NULL PRIMARY KEY,
    state  TEXT NOT NULL -- watermark, verdicts and cursors as JSON
);

CREATE TABLE alerts (
    key          TEXT   NOT NULL PRIMARY KEY, -- {tenant}:{ticket}:{clock}:{cycle}
    tenant       TEXT   NOT NULL,
    ticket_id    TEXT   NOT NULL,
    clock        TEXT   NOT NULL,
    cycle        BIGINT NOT NULL,
    episode      BIGINT NOT NULL, -- rises when a clock comes back into danger after it was safe again
    stage        TEXT   NOT NULL,
    state        TEXT   NOT NULL, -- open | resolved
    reason       TEXT   NOT NULL,
    due          BIGINT NOT NULL,
    raised_at    BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    step         BIGINT NOT NULL, -- the next rung to run
    next_step_at BIGINT,          -- none: no rung left
    generation   BIGINT NOT NULL, -- rises with each change that makes older timers void
    told         BIGINT NOT NULL, -- 0: known of when first seen, told only in the digest
    resolved_as  TEXT
);
CREATE INDEX alerts_open ON alerts (tenant, state);
CREATE INDEX alerts_of_ticket ON alerts (tenant, ticket_id);

CREATE TABLE notifications (
    key         TEXT   NOT NULL PRIMARY KEY, -- hash of alert, stage, recipient, channel and step
    tenant      TEXT   NOT NULL,
    alert_key   TEXT   NOT NULL,
    ticket_id   TEXT,
    kind        TEXT   NOT NULL, -- alert | recovery | digest
    stage       TEXT   NOT NULL,
    step        BIGINT NOT NULL,
    channel     TEXT   NOT NULL,
    recipient   TEXT   NOT NULL, -- who, by id or address; the same on every channel
    fallback    TEXT   NOT NULL, -- channels to try next, as JSON
    message     TEXT   NOT NULL, -- facts as JSON
    state       TEXT   NOT NULL, -- pending | sending | sent | failed | cancelled
    due_at      BIGINT NOT NULL, -- of the next attempt
    first_due_at BIGINT NOT NULL, -- when it should have been said
    lease_until BIGINT,
    attempts    BIGINT NOT NULL DEFAULT 0,
    unreported  BIGINT NOT NULL DEFAULT 0, -- 1: the attempt before never reported back
    created_at  BIGINT NOT NULL,
    done_at     BIGINT,
    provider_id TEXT,
    last_error  TEXT
);
CREATE INDEX notifications_due ON notifications (state, due_at);
CREATE INDEX notifications_of_alert ON notifications (alert_key, state);

CREATE TABLE attempts (
    id           INTEGER PRIMARY KEY,
    tenant       TEXT   NOT NULL,
    notification TEXT   NOT NULL,
    number       BIGINT NOT NULL,
    at           BIGINT NOT NULL,
    outcome      TEXT   NOT NULL, -- taken | unavailable | refused | misconfigured
    detail       TEXT
);
CREATE INDEX attempts_of_notification ON attempts (notification, number);

CREATE TABLE tokens (
    id         TEXT   NOT NULL PRIMARY KEY,
    hash       TEXT   NOT NULL UNIQUE, -- SHA-256 of the token, hex
    role       TEXT   NOT NULL,
    tenant     TEXT,                   -- none: all tenants
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE audit (
    id     INTEGER PRIMARY KEY,
    tenant TEXT,
    at     BIGINT NOT NULL,
    who    TEXT   NOT NULL,
    what   TEXT   NOT NULL,
    origin TEXT   NOT NULL
);

CREATE TABLE heartbeats (
    name TEXT   NOT NULL PRIMARY KEY,
    at   BIGINT NOT NULL
);
