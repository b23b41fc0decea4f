-- The books: the clocks of tickets once they are decided, which every figure of a report is counted from.

CREATE TABLE people (
    tenant  TEXT   NOT NULL,
    kind    TEXT   NOT NULL, -- technician | client
    id      TEXT   NOT NULL, -- SuperOps' own
    name    TEXT   NOT NULL, -- the last that was seen; of those who left as well
    seen_at BIGINT NOT NULL, -- when it was first seen to be called so
    PRIMARY KEY (tenant, kind, id)
);

CREATE TABLE handovers (
    id        INTEGER PRIMARY KEY,
    tenant    TEXT   NOT NULL,
    ticket_id TEXT   NOT NULL,
    was       TEXT,            -- the technician's id; none: nobody
    became    TEXT,
    at        BIGINT NOT NULL  -- the later end of when it happened
);
CREATE INDEX handovers_of_ticket ON handovers (tenant, ticket_id, at, id);

CREATE TABLE entries (
    id          INTEGER PRIMARY KEY,
    tenant      TEXT   NOT NULL,
    ticket      TEXT   NOT NULL,
    clock       TEXT   NOT NULL,
    round       BIGINT NOT NULL,
    revision    BIGINT NOT NULL, -- from 1
    counts      BIGINT NOT NULL, -- 1: in the figures of its day
    latest      BIGINT NOT NULL, -- 1: as it is known now; it may count in no month, if that was closed before
    headline    BIGINT NOT NULL,
    outcome     TEXT   NOT NULL, -- met | breached | excluded
    why         TEXT,            -- of an exclusion
    day         BIGINT NOT NULL, -- local date of the decision, in days since 1970
    decided_at  BIGINT NOT NULL,
    stop_day    BIGINT,
    stopped_at  BIGINT,
    target      BIGINT,          -- milliseconds, like what follows
    counted     BIGINT NOT NULL,
    over        BIGINT NOT NULL,
    paused      BIGINT NOT NULL,
    says        TEXT,            -- whose word the verdict is: by_hand | reported | policy
    reported    BIGINT,          -- 1: breached, as SuperOps says
    computed    BIGINT,          -- 1: breached, by the policy
    observed    BIGINT NOT NULL, -- 1: watched from its beginning
    answered_by TEXT,
    holder      TEXT   NOT NULL, -- a person's id, or @nobody | @unknown | @automation
    client      TEXT,
    priority    TEXT,
    category    TEXT,
    policy      TEXT,
    version     BIGINT NOT NULL, -- of the terms
    maintenance BIGINT NOT NULL,
    reason      TEXT,            -- of a breach
    reason_by   TEXT,            -- who gave it; none: it follows from the history
    reopened_at BIGINT,
    signs       BIGINT NOT NULL,
    chances     BIGINT NOT NULL,
    program     TEXT   NOT NULL,
    UNIQUE (tenant, ticket, clock, round, revision)
);
CREATE INDEX entries_by_day ON entries (tenant, counts, day, ticket);
CREATE INDEX entries_by_stop ON entries (tenant, counts, stop_day, ticket) WHERE stop_day IS NOT NULL;
CREATE INDEX entries_by_decision ON entries (tenant, latest, day, ticket);
-- Revisions that came after their month was closed, and what they replace.
CREATE INDEX entries_corrected ON entries (tenant, day) WHERE counts <> latest;

CREATE TABLE shares (
    entry   BIGINT NOT NULL,
    place   BIGINT NOT NULL, -- the earlier holder first
    holder  TEXT   NOT NULL,
    weight  BIGINT NOT NULL, -- of 1,000,000
    counted BIGINT NOT NULL,
    over    BIGINT NOT NULL,
    paused  BIGINT NOT NULL,
    PRIMARY KEY (entry, place)
);

CREATE TABLE overdue (
    entry       BIGINT NOT NULL,
    tenant      TEXT   NOT NULL,
    day         BIGINT NOT NULL,
    from_at     BIGINT NOT NULL,
    to_at       BIGINT NOT NULL,
    maintenance BIGINT NOT NULL,
    PRIMARY KEY (entry, from_at)
);
CREATE INDEX overdue_by_day ON overdue (tenant, day, from_at);

CREATE TABLE days (
    tenant                  TEXT   NOT NULL,
    day                     BIGINT NOT NULL,
    clock                   TEXT   NOT NULL, -- or all
    met                     BIGINT NOT NULL, -- headline clocks that met no maintenance window
    breached                BIGINT NOT NULL,
    excluded                BIGINT NOT NULL,
    met_in_maintenance      BIGINT NOT NULL,
    breached_in_maintenance BIGINT NOT NULL,
    overdue                 BIGINT NOT NULL, -- milliseconds in which something was; only in the row of all
    overdue_in_all          BIGINT NOT NULL, -- with what met a maintenance window
    PRIMARY KEY (tenant, day, clock)
);

CREATE TABLE months (
    tenant    TEXT   NOT NULL,
    month     BIGINT NOT NULL, -- 12 times the year, and the month from 0
    closed_at BIGINT NOT NULL,
    sha256    TEXT   NOT NULL, -- of its entries, hex
    entries   BIGINT NOT NULL,
    PRIMARY KEY (tenant, month)
);

CREATE TABLE to_book (
    tenant TEXT   NOT NULL,
    ticket TEXT   NOT NULL,
    at     BIGINT NOT NULL, -- when it is to be booked: at once, or when its next clock is over
    marks  BIGINT NOT NULL, -- rises with each reason: what came while it was booked is not lost
    PRIMARY KEY (tenant, ticket)
);
CREATE INDEX to_book_at ON to_book (at, tenant, ticket);

-- What was there before is booked in the background.
INSERT INTO to_book (tenant, ticket, at, marks) SELECT tenant, id, 1, 1 FROM tickets;
