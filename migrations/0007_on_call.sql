-- People who stand in for whoever would be on call. One that is taken back is deleted; the audit log keeps what was.

CREATE TABLE on_call_overrides (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- the later one wins
    rotation   TEXT   NOT NULL, -- its name in the configuration
    person     TEXT   NOT NULL, -- as written in a rotation
    from_time  BIGINT NOT NULL,
    until_time BIGINT NOT NULL,
    made_by    TEXT   NOT NULL,
    made_at    BIGINT NOT NULL
);
CREATE INDEX on_call_overrides_until ON on_call_overrides (until_time);
