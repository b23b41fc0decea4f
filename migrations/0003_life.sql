-- What people do to alerts, and when nobody is to be told.

ALTER TABLE alerts ADD COLUMN id TEXT NOT NULL DEFAULT ''; -- public; '' until it is filled in at the next opening
ALTER TABLE alerts ADD COLUMN escalation TEXT NOT NULL DEFAULT 'default'; -- by name
ALTER TABLE alerts ADD COLUMN ack_expires BIGINT NOT NULL DEFAULT 1800000;
ALTER TABLE alerts ADD COLUMN acked_at BIGINT; -- also of a snooze
ALTER TABLE alerts ADD COLUMN acked_by TEXT;
ALTER TABLE alerts ADD COLUMN acked_how TEXT; -- api | page | link | sms
ALTER TABLE alerts ADD COLUMN ack_until BIGINT; -- none: until the stage rises
ALTER TABLE alerts ADD COLUMN snoozed_until BIGINT; -- none: it is acknowledged, not snoozed
ALTER TABLE alerts ADD COLUMN hold_over BIGINT NOT NULL DEFAULT 0; -- 1: the acknowledgement or snooze has run out
ALTER TABLE alerts ADD COLUMN again BIGINT NOT NULL DEFAULT 0; -- 1: the next step is said even to those who know
ALTER TABLE alerts ADD COLUMN acts BIGINT NOT NULL DEFAULT 0; -- the tenant's number of the last human act on it
CREATE UNIQUE INDEX alerts_id ON alerts (id) WHERE id <> '';
CREATE INDEX alerts_acts ON alerts (tenant, acts);

CREATE TABLE silences (
    id         INTEGER PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    client     TEXT, -- matchers: none matches all
    ticket     TEXT,
    priority   TEXT,
    technician TEXT,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    author     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    ended_at   BIGINT -- before its time, by hand
);
CREATE INDEX silences_of_tenant ON silences (tenant, until_at);

CREATE TABLE maintenance_windows (
    id         INTEGER PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    client     TEXT,
    ticket     TEXT,
    priority   TEXT,
    technician TEXT,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    author     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    ended_at   BIGINT
);
CREATE INDEX maintenance_windows_of_tenant ON maintenance_windows (tenant, until_at);
