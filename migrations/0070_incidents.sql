-- Incidents of services and what was said of them, and work on services that was announced.

CREATE TABLE incidents (
    id          TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    impact      TEXT    NOT NULL, -- none | minor | major | critical
    progress    TEXT    NOT NULL, -- investigating | identified | monitoring | resolved
    components  TEXT    NOT NULL, -- their ids, as JSON
    public      INTEGER NOT NULL,
    automatic   INTEGER NOT NULL,
    cause       TEXT,
    outage      TEXT,             -- the key of the latest outage that it stands for, if it was opened by itself
    started_at  BIGINT  NOT NULL,
    resolved_at BIGINT
);
CREATE INDEX incidents_started ON incidents (started_at);
CREATE INDEX incidents_outage ON incidents (outage);

CREATE TABLE incident_updates (
    incident TEXT    NOT NULL,
    number   INTEGER NOT NULL,
    at       BIGINT  NOT NULL,
    progress TEXT    NOT NULL,
    words    TEXT    NOT NULL, -- for everybody
    note     TEXT,             -- for those who may sign in
    author   TEXT    NOT NULL,
    PRIMARY KEY (incident, number)
);

-- Announced work. What is left out of a promise goes by when it was announced.
CREATE TABLE planned_work (
    id           TEXT    NOT NULL PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    title        TEXT    NOT NULL,
    words        TEXT    NOT NULL,
    components   TEXT    NOT NULL, -- their ids, as JSON
    public       INTEGER NOT NULL,
    from_at      BIGINT  NOT NULL,
    until_at     BIGINT  NOT NULL,
    announced_at BIGINT  NOT NULL,
    changed_at   BIGINT  NOT NULL,
    revision     INTEGER NOT NULL,
    cancelled    INTEGER NOT NULL,
    author       TEXT    NOT NULL
);
CREATE INDEX planned_work_until ON planned_work (until_at);
