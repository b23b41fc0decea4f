-- The entries that count on a day, packed into one value: a year of them is read without looking at each row. A day that
-- changes loses its row, and is packed anew in the background.
CREATE TABLE packed_days (
    tenant  TEXT   NOT NULL,
    day     BIGINT NOT NULL, -- of the decisions, in days since 1970
    version BIGINT NOT NULL, -- of the form: one that is not known is as good as none
    packed  BLOB   NOT NULL,
    PRIMARY KEY (tenant, day)
);

-- The few entries whose clocks ran on after they were decided.
CREATE INDEX entries_stopped_later ON entries (tenant, counts, stop_day, day) WHERE stop_day <> day;
-- A person's words on breaches, which are no part of what is packed.
CREATE INDEX entries_said ON entries (tenant, day) WHERE said_reason IS NOT NULL;
-- The headline clocks of a ticket, and on which days they were decided.
CREATE INDEX entries_of_ticket ON entries (tenant, counts, ticket, day);
