-- Services: how they stood, and what was seen of them.

-- Each component that was ever watched. One that is no longer configured has ended.
CREATE TABLE uptime_components (
    id     TEXT   NOT NULL PRIMARY KEY,
    tenant TEXT   NOT NULL,
    since  BIGINT NOT NULL,
    ended  BIGINT
);

-- Each check, with a number that stands for it where there are many rows, and how it stands, as JSON.
CREATE TABLE uptime_checks (
    number INTEGER NOT NULL PRIMARY KEY,
    id     TEXT    NOT NULL UNIQUE,
    state  TEXT    NOT NULL,
    latest TEXT -- what the latest look found, as JSON
);

-- How components and checks (component/check) stood, without gap or overlap.
CREATE TABLE uptime_spans (
    subject    TEXT   NOT NULL,
    from_at    BIGINT NOT NULL,
    until_at   BIGINT,
    standing   TEXT   NOT NULL, -- up | unknown | degraded | down
    PRIMARY KEY (subject, from_at)
);
CREATE INDEX uptime_spans_until ON uptime_spans (until_at);

-- Each look: for days. What was wrong stands only where something was.
CREATE TABLE uptime_results (
    number  INTEGER NOT NULL,
    at      BIGINT  NOT NULL,
    micros  BIGINT  NOT NULL,
    verdict INTEGER NOT NULL, -- 0 up, 2 degraded, 3 down
    detail  TEXT,
    PRIMARY KEY (number, at)
) WITHOUT ROWID;

-- Looks summed up: of five minutes, hours and days in UTC.
CREATE TABLE uptime_rollups (
    number INTEGER NOT NULL,
    width  BIGINT  NOT NULL,
    at     BIGINT  NOT NULL,
    good   BIGINT  NOT NULL,
    bad    BIGINT  NOT NULL,
    sketch BLOB    NOT NULL,
    PRIMARY KEY (number, width, at)
) WITHOUT ROWID;
