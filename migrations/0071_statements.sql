-- What came of uptime promises, period by period, as it stood when the period was settled; and what became of the credit.
CREATE TABLE uptime_statements (
    id         TEXT   NOT NULL PRIMARY KEY,
    tenant     TEXT   NOT NULL,
    component  TEXT   NOT NULL,
    until_at   BIGINT NOT NULL, -- the end of the period
    body       TEXT   NOT NULL, -- the statement, as JSON
    sha256     TEXT   NOT NULL, -- of the body
    frozen_at  BIGINT NOT NULL,
    credit     TEXT   NOT NULL, -- none | proposed | approved | issued | waived
    decided_by TEXT,
    decided_at BIGINT,
    note       TEXT
);
CREATE INDEX uptime_statements_until ON uptime_statements (until_at);
