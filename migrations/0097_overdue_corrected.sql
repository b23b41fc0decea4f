-- The overdue time of corrections: of what came after its month was closed. It is in no figure of the month, and in those of
-- the month as is known now it takes the place of what it corrects.
CREATE TABLE overdue_corrected (
    entry       BIGINT NOT NULL,
    tenant      TEXT   NOT NULL,
    day         BIGINT NOT NULL,
    from_at     BIGINT NOT NULL,
    to_at       BIGINT NOT NULL,
    maintenance BIGINT NOT NULL,
    PRIMARY KEY (entry, from_at)
);
CREATE INDEX overdue_corrected_by_day ON overdue_corrected (tenant, day, from_at);
