-- Whom an alert concerns, until when nobody is told, and rows that cannot be read.

ALTER TABLE notifications ADD COLUMN void BIGINT NOT NULL DEFAULT 0; -- 1: it is not this person's concern any more

ALTER TABLE alerts ADD COLUMN asked TEXT; -- who had the ticket when its people were told, as JSON
ALTER TABLE alerts ADD COLUMN covered_until BIGINT; -- nobody is told before then
CREATE INDEX alerts_covered ON alerts (covered_until) WHERE covered_until IS NOT NULL;

CREATE TABLE set_aside ( -- rows that could not be read any more, as they were
    id      INTEGER PRIMARY KEY,
    kind    TEXT   NOT NULL, -- alert
    tenant  TEXT   NOT NULL,
    key     TEXT   NOT NULL,
    content TEXT   NOT NULL, -- its columns as JSON
    why     TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX set_aside_at ON set_aside (at);
