-- How often something changed that reports on a month are made of: what was worked out of a month holds until then.
CREATE TABLE book_changes (
    tenant  TEXT   NOT NULL,
    month   BIGINT NOT NULL, -- 12 times the year, and the month from 0; 0: something that stands in the reports of all months
    changes BIGINT NOT NULL,
    PRIMARY KEY (tenant, month)
);
