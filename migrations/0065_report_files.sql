-- Reports as they went out: those that were sent, and those that were asked for once all of their months were closed.
CREATE TABLE report_files (
    tenant       TEXT   NOT NULL,
    id           TEXT   NOT NULL, -- SHA-256 of the bytes, hex
    name         TEXT   NOT NULL, -- of the file
    format       TEXT   NOT NULL,
    title        TEXT   NOT NULL,
    from_day     BIGINT NOT NULL, -- days since 1970, like the next
    to_day       BIGINT NOT NULL,
    report_hash  TEXT   NOT NULL, -- what is printed on it: SHA-256 of the report, whatever its form
    closed       BIGINT NOT NULL, -- 1: all of its months were
    people       TEXT   NOT NULL, -- how far it tells persons apart: named | pseudonyms | off
    made_for     TEXT   NOT NULL, -- a schedule, or who asked
    made_at      BIGINT NOT NULL,
    size         BIGINT NOT NULL, -- bytes
    PRIMARY KEY (tenant, id)
);
CREATE INDEX report_files_latest ON report_files (tenant, made_at, id);
CREATE INDEX report_files_by_age ON report_files (made_at);

-- Apart, so that a list reads none of it.
CREATE TABLE report_contents (
    tenant TEXT NOT NULL,
    id     TEXT NOT NULL,
    bytes  BLOB NOT NULL,
    PRIMARY KEY (tenant, id)
);

-- How far each schedule has come.
CREATE TABLE report_schedules (
    tenant  TEXT   NOT NULL,
    name    TEXT   NOT NULL,
    to_day  BIGINT NOT NULL, -- the last day of the last period that was reported on, or was over before the schedule was
    at      BIGINT NOT NULL,
    PRIMARY KEY (tenant, name)
);
