-- Days whose entries have changed since their sums in `days` were made. They are summed up together, once many tickets are
-- booked, and not with each.
CREATE TABLE days_to_sum (
    tenant TEXT   NOT NULL,
    day    BIGINT NOT NULL, -- counted from 1970-01-01
    PRIMARY KEY (tenant, day)
);
