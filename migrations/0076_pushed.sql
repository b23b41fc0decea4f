-- What services have told of themselves where nobody could take it in: it waits for the replica that leads.
CREATE TABLE uptime_pushed (
    check_id TEXT   NOT NULL,
    at       BIGINT NOT NULL,
    verdict  BIGINT NOT NULL, -- as in uptime_results
    micros   BIGINT NOT NULL,
    detail   TEXT,
    PRIMARY KEY (check_id, at)
);
CREATE INDEX uptime_pushed_at ON uptime_pushed (at);
