-- What the forecast said at certain moments of a clock, and what came of it: its own record.

CREATE TABLE predictions (
    tenant      TEXT   NOT NULL,
    ticket_id   TEXT   NOT NULL,
    clock       TEXT   NOT NULL,
    cycle       BIGINT NOT NULL,
    moment      TEXT   NOT NULL, -- quarter | half | three_quarters of the clock, or alert: it was chosen to be told
    at          BIGINT NOT NULL,
    probability REAL   NOT NULL,
    left_ms     BIGINT NOT NULL, -- working time left at that moment
    breached    BIGINT,          -- 1: it breached, 0: it was kept; none: not decided yet
    decided_at  BIGINT,
    PRIMARY KEY (tenant, ticket_id, clock, cycle, moment)
);
CREATE INDEX predictions_open ON predictions (tenant, breached);
CREATE INDEX predictions_made ON predictions (tenant, moment, at);
